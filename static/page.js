/**
 * What happens to the page around the chat: hidden, shown again, put aside for Back, network lost and found.
 * It only tells; client.js decides what that means.
 * Rule kept: `away` is always told before the page may be dropped, `back` whenever it is in front again.
 */

/** Start watching. `away()`; `back(absentMs)`; `online()`; `offline()`. */
export function watchPage({ away, back, online, offline }) {
  let leftAt = Date.now();
  const leave = () => { leftAt = Date.now(); away(); };
  const returned = () => back(Date.now() - leftAt);
  // pagehide alone is not enough: a phone may drop a hidden page without a further word.
  // https://developer.mozilla.org/en-US/docs/Web/API/Document/visibilitychange_event
  document.addEventListener("visibilitychange", () => (document.visibilityState === "hidden" ? leave() : returned()));
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", ({ persisted }) => { if (persisted) returned(); });
  window.addEventListener("online", online);
  window.addEventListener("offline", offline);
}
