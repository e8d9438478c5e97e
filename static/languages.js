/**
 * Every word that the panel says, by language; a site may replace any of them (`texts` in its settings).
 * A new language is one more entry with the same keys: the tests compare them. `{name}` and `{n}` are filled in.
 * Rule kept: no sentence is built from parts, so that each can be translated as a whole.
 */

const RIGHT_TO_LEFT = new Set(["ar", "fa", "he", "ur"]);

export const languages = {
  en: {
    title: "Chat with us", open: "Open chat", close: "Close chat", unread: "Unread messages: {n}",
    welcome: "Hello! How can we help you today?", messages: "Messages", input: "Write a message", send: "Send",
    attach: "Attach a file", you: "You", agent: "Agent", bot: "Assistant", typing: "Typing …", older: "Show earlier messages",
    online: "We are here to help", connecting: "Connecting …", reconnecting: "Reconnecting … your messages wait and will be sent.",
    offline: "You are offline. What you write will be sent when you are back.",
    refused: "Chat is not available right now.", reference: "Reference: {id}", tryAgain: "Try again",
    signin: "Your sign-in has ended. Sign in again to go on, or continue as a guest.", asGuest: "Continue as a guest",
    elsewhere: "This chat is open in other tabs.", useHere: "Continue here",
    waiting: "Waiting to be sent", sending: "Sending", sent: "Sent", failed: "Not sent", unconfirmed: "Perhaps not sent",
    tooLong: "This message is too long.", fileRefused: "{name} could not be sent.", fileTooLarge: "{name} is too large.",
    uploading: "Sending {name} …", file: "File", cannotShow: "This message cannot be shown here.",
    inWriting: "You can answer with a message.",
    signedIn: "Signed in", left: "The other side has left the chat.", end: "End chat", endAsk: "End this chat?",
    endYes: "End it", endNo: "Keep chatting", ended: "This chat has ended.", startNew: "Start a new chat",
  },
  de: {
    title: "Chatten Sie mit uns", open: "Chat öffnen", close: "Chat schließen", unread: "Ungelesene Nachrichten: {n}",
    welcome: "Guten Tag! Wie können wir Ihnen helfen?", messages: "Nachrichten", input: "Nachricht schreiben", send: "Senden",
    attach: "Datei anhängen", you: "Sie", agent: "Berater", bot: "Assistent", typing: "Schreibt …", older: "Frühere Nachrichten zeigen",
    online: "Wir sind für Sie da", connecting: "Verbindung wird aufgebaut …",
    reconnecting: "Verbindung wird erneuert … Ihre Nachrichten warten und werden gesendet.",
    offline: "Sie sind offline. Was Sie schreiben, wird gesendet, sobald Sie wieder verbunden sind.",
    refused: "Der Chat ist gerade nicht verfügbar.", reference: "Kennung: {id}", tryAgain: "Erneut versuchen",
    signin: "Ihre Anmeldung ist abgelaufen. Melden Sie sich neu an oder fahren Sie als Gast fort.", asGuest: "Als Gast fortfahren",
    elsewhere: "Dieser Chat ist in anderen Tabs geöffnet.", useHere: "Hier fortfahren",
    waiting: "Wartet auf Versand", sending: "Wird gesendet", sent: "Gesendet", failed: "Nicht gesendet", unconfirmed: "Vielleicht nicht gesendet",
    tooLong: "Diese Nachricht ist zu lang.", fileRefused: "{name} konnte nicht gesendet werden.", fileTooLarge: "{name} ist zu groß.",
    uploading: "{name} wird gesendet …", file: "Datei", cannotShow: "Diese Nachricht kann hier nicht angezeigt werden.",
    inWriting: "Antworten Sie einfach mit einer Nachricht.",
    signedIn: "Angemeldet", left: "Die andere Seite hat den Chat verlassen.", end: "Chat beenden", endAsk: "Diesen Chat beenden?",
    endYes: "Beenden", endNo: "Weiter chatten", ended: "Dieser Chat ist beendet.", startNew: "Neuen Chat beginnen",
  },
  fr: {
    title: "Discutez avec nous", open: "Ouvrir le chat", close: "Fermer le chat", unread: "Messages non lus : {n}",
    welcome: "Bonjour ! Comment pouvons-nous vous aider ?", messages: "Messages", input: "Écrire un message", send: "Envoyer",
    attach: "Joindre un fichier", you: "Vous", agent: "Conseiller", bot: "Assistant", typing: "Écrit …", older: "Afficher les messages précédents",
    online: "Nous sommes là pour vous aider", connecting: "Connexion …",
    reconnecting: "Reconnexion … vos messages attendent et seront envoyés.",
    offline: "Vous êtes hors ligne. Vos messages partiront dès votre retour.",
    refused: "Le chat n’est pas disponible pour le moment.", reference: "Référence : {id}", tryAgain: "Réessayer",
    signin: "Votre connexion a expiré. Connectez-vous de nouveau ou continuez en tant qu’invité.", asGuest: "Continuer en tant qu’invité",
    elsewhere: "Ce chat est ouvert dans d’autres onglets.", useHere: "Continuer ici",
    waiting: "En attente d’envoi", sending: "Envoi", sent: "Envoyé", failed: "Non envoyé", unconfirmed: "Peut-être non envoyé",
    tooLong: "Ce message est trop long.", fileRefused: "{name} n’a pas pu être envoyé.", fileTooLarge: "{name} est trop volumineux.",
    uploading: "Envoi de {name} …", file: "Fichier", cannotShow: "Ce message ne peut pas être affiché ici.",
    inWriting: "Vous pouvez répondre par un message.",
    signedIn: "Connecté", left: "Votre interlocuteur a quitté le chat.", end: "Terminer le chat", endAsk: "Terminer ce chat ?",
    endYes: "Terminer", endNo: "Continuer", ended: "Ce chat est terminé.", startNew: "Commencer un nouveau chat",
  },
  es: {
    title: "Chatea con nosotros", open: "Abrir el chat", close: "Cerrar el chat", unread: "Mensajes sin leer: {n}",
    welcome: "¡Hola! ¿En qué podemos ayudarte?", messages: "Mensajes", input: "Escribe un mensaje", send: "Enviar",
    attach: "Adjuntar un archivo", you: "Tú", agent: "Agente", bot: "Asistente", typing: "Escribiendo …", older: "Mostrar mensajes anteriores",
    online: "Estamos aquí para ayudarte", connecting: "Conectando …",
    reconnecting: "Reconectando … tus mensajes esperan y se enviarán.",
    offline: "No tienes conexión. Lo que escribas se enviará cuando vuelvas.",
    refused: "El chat no está disponible en este momento.", reference: "Referencia: {id}", tryAgain: "Reintentar",
    signin: "Tu sesión ha caducado. Vuelve a iniciar sesión o continúa como invitado.", asGuest: "Continuar como invitado",
    elsewhere: "Este chat está abierto en otras pestañas.", useHere: "Continuar aquí",
    waiting: "En espera de envío", sending: "Enviando", sent: "Enviado", failed: "No enviado", unconfirmed: "Quizá no enviado",
    tooLong: "Este mensaje es demasiado largo.", fileRefused: "No se pudo enviar {name}.", fileTooLarge: "{name} es demasiado grande.",
    uploading: "Enviando {name} …", file: "Archivo", cannotShow: "Este mensaje no se puede mostrar aquí.",
    inWriting: "Puedes responder con un mensaje.",
    signedIn: "Sesión iniciada", left: "La otra persona ha salido del chat.", end: "Terminar el chat", endAsk: "¿Terminar este chat?",
    endYes: "Terminar", endNo: "Seguir chateando", ended: "Este chat ha terminado.", startNew: "Empezar un chat nuevo",
  },
  ar: {
    title: "تحدّث معنا", open: "فتح المحادثة", close: "إغلاق المحادثة", unread: "رسائل غير مقروءة: {n}",
    welcome: "مرحبًا! كيف يمكننا مساعدتك اليوم؟", messages: "الرسائل", input: "اكتب رسالة", send: "إرسال",
    attach: "إرفاق ملف", you: "أنت", agent: "الموظف", bot: "المساعد", typing: "يكتب …", older: "عرض الرسائل السابقة",
    online: "نحن هنا لمساعدتك", connecting: "جارٍ الاتصال …",
    reconnecting: "جارٍ إعادة الاتصال … رسائلك محفوظة وسيتم إرسالها.",
    offline: "أنت غير متصل. سيتم إرسال ما تكتبه عند عودة الاتصال.",
    refused: "المحادثة غير متاحة الآن.", reference: "المرجع: {id}", tryAgain: "إعادة المحاولة",
    signin: "انتهت صلاحية تسجيل الدخول. سجّل الدخول من جديد أو تابع كضيف.", asGuest: "المتابعة كضيف",
    elsewhere: "هذه المحادثة مفتوحة في علامات تبويب أخرى.", useHere: "المتابعة هنا",
    waiting: "في انتظار الإرسال", sending: "جارٍ الإرسال", sent: "تم الإرسال", failed: "لم تُرسل", unconfirmed: "ربما لم تُرسل",
    tooLong: "هذه الرسالة طويلة جدًا.", fileRefused: "تعذّر إرسال {name}.", fileTooLarge: "حجم {name} كبير جدًا.",
    uploading: "جارٍ إرسال {name} …", file: "ملف", cannotShow: "لا يمكن عرض هذه الرسالة هنا.",
    inWriting: "يمكنك الرد برسالة.",
    signedIn: "تم تسجيل الدخول", left: "غادر الطرف الآخر المحادثة.", end: "إنهاء المحادثة", endAsk: "هل تريد إنهاء هذه المحادثة؟",
    endYes: "إنهاء", endNo: "متابعة المحادثة", ended: "انتهت هذه المحادثة.", startNew: "بدء محادثة جديدة",
  },
};

/** The words for a locale such as `de-AT`: that language's, else English, with the site's own on top. */
export function wordsFor(locale, texts = {}) {
  const code = (locale ?? "").toLowerCase().split(/[-_]/)[0];
  const lang = Object.hasOwn(languages, code) ? code : "en";
  const words = { ...languages[lang], ...texts };
  const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  return { lang, dir: RIGHT_TO_LEFT.has(lang) ? "rtl" : "ltr", say };
}
