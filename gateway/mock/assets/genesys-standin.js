/*
 * MOCK. This is NOT genesys.min.js and holds nothing of it. It is the gateway's stand-in for trying an init script in a
 * browser: the Genesys() dispatcher, the plugins that an init script speaks to, and a bare messenger, over the mock's own
 * socket and REST calls. The page's origin must be allowed by the deployment, as with the real one; else nothing runs.
 */
(function () {
  "use strict";
  var HOSTS = __MOCK_HOSTS__;
  var globalName = window._genesysJs || "Genesys";
  var stub = window[globalName] || function () {};
  var options = stub.c || {};
  var plugins = {};
  var listeners = {};
  var remembered = {};
  var config = null;
  var started = false;
  console.warn("Mock Genesys messenger: a stand-in for tests and demos, not Genesys Cloud.");

  // ---- dispatcher -----------------------------------------------------------------------------------------------

  function later(work) { Promise.resolve().then(work); }

  function publish(publisher, event, data) {
    var name = publisher + "." + event;
    var envelope = { time: Date.now(), publisher: publisher, event: event, data: data };
    if (event === "ready" || publisher === "GenesysJS") { remembered[name] = envelope; }
    (listeners[name] || []).slice().forEach(function (callback) {
      later(function () { callback(Object.assign({ eventName: name }, envelope)); });
    });
  }

  function subscribe(name, callback) {
    (listeners[name] = listeners[name] || []).push(callback);
    // A late subscriber of X.ready is told again; the replay has no eventName.
    if (remembered[name]) { later(function () { callback(remembered[name]); }); }
  }

  function run(name, data) {
    var dot = name.indexOf(".");
    var plugin = plugins[name.slice(0, dot)];
    var command = plugin && plugin.commands[name.slice(dot + 1)];
    if (!command) { return Promise.reject(new Error("Command " + name + " is not registered (mock)")); }
    return new Promise(function (resolve, reject) { command({ data: data, resolve: resolve, reject: reject }); });
  }

  function registerPlugin(name, setUp) {
    if (plugins[name]) { throw new Error("Plugin " + name + " is already registered (mock)"); }
    var own = { commands: {}, data: {} };
    plugins[name] = own;
    setUp({
      command: run,
      data: function (key, value) { return arguments.length > 1 ? (own.data[key] = value) : own.data[key]; },
      subscribe: subscribe,
      unsubscribe: function (event) { delete listeners[event]; },
      registerCommand: function (command, handler) { own.commands[command] = handler; },
      publish: function (event, data) { publish(name, event, data); },
      republish: function (event, data) { publish(name, event, data); remembered[name + "." + event].data = data; },
      ready: function () { publish(name, "ready"); }
    });
  }

  function dispatch(kind, first, second, third, fourth) {
    if (kind === "command") {
      run(first, second).then(third || function () {}, fourth || function () {});
    } else if (kind === "subscribe") {
      subscribe(first, second);
    } else if (kind === "registerPlugin") {
      registerPlugin(first, second);
    } else {
      throw new Error("Genesys(" + kind + ") is not known to the mock");
    }
  }

  function builtIn(name, commands, setUp) {
    registerPlugin(name, function (plugin) {
      Object.keys(commands).forEach(function (command) {
        plugin.registerCommand(command, function (call) {
          Promise.resolve().then(function () { return commands[command](call.data || {}); }).then(call.resolve, call.reject);
        });
      });
      if (setUp) { setUp(plugin); }
      plugin.ready();
    });
  }

  function rest(method, path, body, bearer) {
    var headers = body ? { "Content-Type": "application/json" } : {};
    if (bearer) { headers.Authorization = "bearer " + bearer; }
    var request = { method: method, headers: headers, body: body ? JSON.stringify(body) : undefined };
    return fetch(HOSTS.api + path, request).then(function (answer) {
      return answer.text().then(function (text) {
        var value = text ? JSON.parse(text) : {};
        if (!answer.ok) { throw Object.assign(new Error(value.message || "refused"), { status: answer.status, data: value }); }
        return value;
      });
    });
  }

  // ---- Database -------------------------------------------------------------------------------------------------

  var database = {};
  function deepMerge(target, source) {
    Object.keys(source).forEach(function (key) {
      if (key === "__proto__" || key === "constructor") { return; }
      var both = target[key] && source[key] && typeof target[key] === "object" && typeof source[key] === "object";
      target[key] = both ? deepMerge(target[key], source[key]) : source[key];
    });
    return target;
  }

  function startDatabase() {
    builtIn("Database", {
      set: function (data) { Object.assign(database, data); publish("Database", "updated", data); return database; },
      update: function (data) { deepMerge(database, data); publish("Database", "updated", data); return database; },
      get: function (data) { return data.name ? database[data.name] : database; },
      remove: function (data) { delete database[data.name]; publish("Database", "removed", data); return database; }
    });
  }

  // ---- Auth -----------------------------------------------------------------------------------------------------

  var tokens = null;

  function exchange(answer) {
    var oauth = {};
    if (answer.idToken) { oauth.idToken = answer.idToken; } else { oauth.code = answer.authCode; }
    ["redirectUri", "codeVerifier", "nonce", "maxAge", "iss"].forEach(function (name) {
      if (answer[name] !== undefined) { oauth[name] = answer[name]; }
    });
    publish("Auth", "authenticating", { authCode: answer.authCode, redirectUri: answer.redirectUri });
    var body = { deploymentId: options.deploymentId, oauth: oauth };
    return rest("POST", "/api/v2/webdeployments/token/oauthcodegrantjwtexchange", body).then(function (given) {
      tokens = given;
      publish("Auth", "authenticated", given);
      return given;
    }, function (fault) {
      publish("Auth", "authError", { message: fault.message, status: fault.status });
      throw fault;
    });
  }

  function authenticate() {
    return run("AuthProvider.getAuthCode").then(exchange, function (fault) {
      publish("Auth", "authProviderError", { message: String((fault && fault.message) || fault) });
      throw fault;
    });
  }

  function startAuth() {
    builtIn("Auth", {
      getTokens: function () { if (!tokens) { throw new Error("not authenticated"); } return tokens; },
      refreshToken: function () {
        var body = { refreshToken: tokens && tokens.refreshToken, deploymentId: options.deploymentId };
        return rest("POST", "/api/v2/webdeployments/token/refresh", body).then(function (given) {
          tokens.jwt = given.jwt;
          publish("Auth", "authenticated", tokens);
          return tokens;
        }, function (fault) { publish("Auth", "tokenError", { message: fault.message }); throw fault; });
      },
      reAuthenticate: function () { return run("AuthProvider.reAuthenticate").then(authenticate); },
      logout: function () {
        if (!tokens) { throw new Error("not authenticated"); }
        return rest("DELETE", "/api/v2/webdeployments/token/revoke", null, tokens.jwt).then(function () {
          tokens = null;
          publish("Auth", "loggedOut", { status: 204 });
        }, function (fault) { publish("Auth", "logoutError", { status: fault.status }); throw fault; });
      }
    });
    if (config.auth && config.auth.enabled) {
      subscribe("AuthProvider.ready", function () { authenticate().catch(function () {}); });
    }
  }

  // ---- MessagingService -----------------------------------------------------------------------------------------

  var socket = null;
  var waiting = {};
  var sessionKey = function () { return "_" + options.deploymentId + ":mockSession"; };

  function sessionToken() {
    var token = localStorage.getItem(sessionKey());
    if (!token) { token = crypto.randomUUID(); localStorage.setItem(sessionKey(), token); }
    return token;
  }

  function ask(frame) {
    var tracingId = crypto.randomUUID();
    return new Promise(function (resolve, reject) {
      if (!socket || socket.readyState !== 1) { reject(new Error("not connected")); return; }
      waiting[tracingId] = { resolve: resolve, reject: reject };
      socket.send(JSON.stringify(Object.assign({ token: sessionToken(), tracingId: tracingId }, frame)));
    });
  }

  function received(frame) {
    var asker = waiting[frame.tracingId];
    delete waiting[frame.tracingId];
    if (asker && frame.code >= 400) { asker.reject(Object.assign(new Error(String(frame.body)), { code: frame.code })); }
    else if (asker) { asker.resolve(frame.body); }
    if (frame.class === "StructuredMessage") { show(frame.body); }
    else if (frame.class === "SessionClearedEvent") { publish("MessagingService", "sessionCleared"); leave(); }
    else if (frame.class === "LogoutEvent" || frame.class === "ConnectionClosedEvent") { leave(); }
    else if (frame.code >= 400) { publish("MessagingService", "error", { code: frame.code, message: String(frame.body) }); }
  }

  function show(message) {
    var event = (message.events || [])[0] || {};
    var presence = event.presence && event.presence.type;
    if (event.eventType === "Typing") {
      if (message.direction === "Outbound") { publish("MessagingService", "typingReceived", event.typing); }
      return;
    }
    if (presence === "Disconnect") {
      publish("MessagingService", "conversationDisconnected", {});
      if (message.metadata.readOnly === "true") { publish("MessagingService", "readOnlyConversation", {}); }
    } else if (presence === "Clear") { publish("MessagingService", "conversationCleared", {}); }
    publish("MessagingService", "messagesReceived", { messages: [message] });
  }

  function leave() {
    if (socket) { socket.onclose = null; socket.close(); socket = null; }
    started = false;
  }

  function connect() {
    if (socket) { return Promise.reject(new Error("There is already an active conversation")); }
    var endpoint = config.messenger.apps.conversations.messagingEndpoint;
    return new Promise(function (resolve, reject) {
      socket = new WebSocket(endpoint + "/v1?deploymentId=" + encodeURIComponent(options.deploymentId));
      socket.onopen = function () { resolve(); };
      socket.onmessage = function (event) { received(JSON.parse(event.data)); };
      socket.onclose = function () { socket = null; started = false; publish("MessagingService", "offline", {}); };
      socket.onerror = function () { reject(new Error("the socket was refused")); };
    });
  }

  function configure() {
    var frame = { action: "configureSession", deploymentId: options.deploymentId };
    if (tokens) {
      frame = { action: "configureAuthenticatedSession", deploymentId: options.deploymentId, data: { code: tokens.jwt } };
    }
    return ask(frame).then(function (session) {
      started = true;
      publish("MessagingService", session.newSession ? "started" : "restored", session);
      if (session.readOnly) { publish("MessagingService", "readOnlyConversation", {}); }
      return session;
    });
  }

  function start() {
    return connect().then(configure).then(function (session) {
      if (session.newSession && config.messenger.apps.conversations.autoStart.enabled) {
        return ask({ action: "onMessage", message: withContext(presenceOf("Join")) }).then(function () { return session; });
      }
      return session;
    });
  }

  function presenceOf(kind) {
    return { type: "Event", events: [{ eventType: "Presence", presence: { type: kind } }] };
  }

  function withContext(message) {
    var attributes = database.messaging && database.messaging.customAttributes;
    if (attributes && Object.keys(attributes).length) {
      message.channel = { metadata: { customAttributes: attributes } };
    }
    return message;
  }

  function history() {
    return ask({ action: "getJwt" }).then(function (given) {
      return rest("GET", "/api/v2/webmessaging/messages?pageSize=25&pageNumber=1", null, given.jwt);
    }).then(function (page) {
      publish("MessagingService", "oldMessages", { messages: page.entities });
      if (page.pageCount <= 1) { publish("MessagingService", "historyComplete", {}); }
      return page;
    });
  }

  function startMessaging() {
    builtIn("MessagingService", {
      startConversation: start,
      configureConversation: function () { return connect().then(configure); },
      joinConversation: function () { return ask({ action: "onMessage", message: withContext(presenceOf("Join")) }); },
      sendMessage: function (data) {
        var message = withContext({ type: "Text", text: data.message });
        publish("MessagingService", "sendingMessage", { message: data.message });
        return ask({ action: "onMessage", message: message });
      },
      sendTyping: function () {
        var message = { type: "Event", events: [{ eventType: "Typing", typing: { type: "On" } }] };
        return ask({ action: "onMessage", message: message });
      },
      fetchHistory: history,
      clearSession: function () { return ask({ action: "closeSession", closeAllConnections: true }); },
      clearConversation: function () { return ask({ action: "onMessage", message: presenceOf("Clear") }); },
      resetConversation: function () { localStorage.removeItem(sessionKey()); leave(); return start(); },
      stepUpConversation: function () {
        return run("AuthProvider.signIn").then(exchange).then(configure).then(function (session) {
          publish("MessagingService", "steppedUpConversation", {});
          return session;
        });
      }
    });
  }

  // ---- Messenger, Launcher and Conversations: a bare panel ------------------------------------------------------

  function element(tag, text, style) {
    var made = document.createElement(tag);
    if (text) { made.textContent = text; }
    Object.assign(made.style, style || {});
    return made;
  }

  function startPanel() {
    var corner = { position: "fixed", right: "16px", zIndex: "2147483000", font: "15px/1.4 system-ui, sans-serif" };
    var launcher = element("button", "Chat (mock)", Object.assign({ bottom: "16px", padding: "12px 16px" }, corner));
    var panel = element("section", "", Object.assign({
      bottom: "72px", width: "320px", height: "400px", display: "none", flexDirection: "column", background: "#fff",
      color: "#1b1b1b", border: "2px solid #8a1c1c", borderRadius: "8px", padding: "8px", boxSizing: "border-box"
    }, corner));
    var log = element("div", "", { flex: "1", overflow: "auto" });
    var form = element("form", "", { display: "flex", gap: "4px" });
    var input = element("input", "", { flex: "1", minWidth: "0" });
    launcher.id = "mock-genesys-launcher";
    panel.id = "mock-genesys-messenger";
    panel.setAttribute("aria-label", "Mock messenger");
    input.setAttribute("aria-label", "Message");
    log.setAttribute("role", "log");
    form.append(input, element("button", "Send"));
    panel.append(element("strong", "Mock messenger, not Genesys"), log, form);
    document.body.append(launcher, panel);

    function open() {
      if (panel.style.display === "flex") { throw new Error("Messenger is already open"); }
      panel.style.display = "flex";
      publish("Messenger", "opened", {});
      publish("Conversations", "opened", {});
      return started ? undefined : start().then(function () { publish("Conversations", "started", {}); return history(); });
    }
    function close() {
      if (panel.style.display !== "flex") { throw new Error("Messenger is already closed"); }
      panel.style.display = "none";
      publish("Messenger", "closed", {});
      publish("Conversations", "closed", {});
    }
    function write(message) {
      if (!message.text) { return; }
      var who = message.direction === "Inbound" ? "You" : (message.channel.from || {}).nickname || "Agent";
      log.append(element("p", who + ": " + message.text, { margin: "4px 0" }));
    }
    subscribe("MessagingService.messagesReceived", function (event) { event.data.messages.forEach(write); });
    subscribe("MessagingService.oldMessages", function (event) {
      log.replaceChildren();
      event.data.messages.slice().reverse().forEach(write);
    });
    launcher.addEventListener("click", function () {
      run(panel.style.display === "flex" ? "Messenger.close" : "Messenger.open").catch(function (fault) {
        log.append(element("p", "Failed: " + fault.message, { color: "#8a1c1c" }));
      });
    });
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      if (input.value) { run("MessagingService.sendMessage", { message: input.value }).catch(function () {}); }
      input.value = "";
    });
    builtIn("Messenger", {
      open: open,
      openConversation: open,
      close: close,
      clear: function () {
        localStorage.removeItem(sessionKey());
        leave();
        panel.remove();
        launcher.remove();
        publish("Messenger", "cleared", {});
      }
    });
    builtIn("Launcher", {
      show: function () { launcher.style.display = ""; },
      hide: function () { launcher.style.display = "none"; }
    });
    builtIn("Conversations", {});
    builtIn("Journey", { pageview: function () {}, record: function () {}, identify: function () {} });
  }

  // ---- start, as the real script does: domains, configuration, plugins, queue -----------------------------------

  function load(name) {
    var path = "/webdeployments/v1/deployments/" + encodeURIComponent(options.deploymentId) + "/" + name;
    return fetch(HOSTS.cdn + path).then(function (answer) {
      if (!answer.ok) { throw new Error(name + " answered " + answer.status); }
      return answer.json();
    });
  }

  function mayRunHere(domains) {
    if (domains.allowAllDomains) { return true; }
    var host = location.hostname.toLowerCase();
    return domains.allowedDomains.some(function (entry) {
      var domain = entry.toLowerCase();
      return host === domain || host.endsWith("." + domain);
    });
  }

  var queue = stub.q || [];
  window[globalName] = function () { queue.push(arguments); };
  load("domains.json").then(function (domains) {
    if (!mayRunHere(domains)) { publish("GenesysJS", "domainNotAllowed", {}); return undefined; }
    return load("config.json").then(function (found) {
      config = found;
      publish("GenesysJS", "configurationReceived", config);
      if (config.status !== "Active") { return; }
      startDatabase();
      startAuth();
      startMessaging();
      startPanel();
      window[globalName] = dispatch;
      queue.forEach(function (call) { dispatch.apply(null, call); });
      publish("GenesysJS", "ready", {});
    });
  }).catch(function (fault) { console.error("Mock Genesys messenger: " + fault.message); });
})();
