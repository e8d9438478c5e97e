/**
 * The look of the panel: one stylesheet as text, for a constructed sheet (no inline style, so strict CSP holds).
 * A site themes it with the custom properties of the first block; what each may be is said there.
 * Rule kept: logical properties only (right to left comes for free), and every state is visible without colour.
 */
export const look = `
:host {
  --gateway-accent: #1f5eff;        /* launcher, header, own messages */
  --gateway-on-accent: #ffffff;     /* text on the accent */
  --gateway-surface: #ffffff;
  --gateway-quiet: #f2f4f8;         /* the other side's messages, the composer */
  --gateway-text: #1a2233;
  --gateway-faint: #5b6579;         /* times and notes; at least 4.5 : 1 on the surface */
  --gateway-line: #dfe3ec;
  --gateway-alert: #b3261e;
  --gateway-font: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  --gateway-radius: 18px;
  --gateway-gap: 20px;              /* distance to the edges of the window */
  --gateway-z: 2147483000;
  all: initial; position: fixed; z-index: var(--gateway-z); inset-block-end: var(--gateway-gap); inset-inline-end: var(--gateway-gap);
  font: 400 15px/1.45 var(--gateway-font); color: var(--gateway-text); color-scheme: light;
}
:host([scheme="dark"]) {
  --gateway-surface: #151a24; --gateway-quiet: #232a38; --gateway-text: #eef1f7; --gateway-faint: #a5aec0; --gateway-line: #323b4d;
  --gateway-alert: #ff8a80; color-scheme: dark;
}
@media (prefers-color-scheme: dark) {
  :host([scheme="auto"]) {
    --gateway-surface: #151a24; --gateway-quiet: #232a38; --gateway-text: #eef1f7; --gateway-faint: #a5aec0; --gateway-line: #323b4d;
    --gateway-alert: #ff8a80; color-scheme: dark;
  }
}
/* Left and right as Zendesk means them, whatever way the language runs: the one place where sides are physical. */
:host([side="left"]), :host([side="left"]) .panel { right: auto; left: var(--gateway-gap); }
:host([side="right"]), :host([side="right"]) .panel { left: auto; right: var(--gateway-gap); }
:host([side]) .panel { --gateway-gap: 0px; inline-size: min(384px, calc(100vw - 40px)); }
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
button, textarea, input { font: inherit; color: inherit; }
button { cursor: pointer; border: 0; background: none; padding: 0; }
svg { inline-size: 22px; block-size: 22px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
:focus { outline: none; }
:focus-visible { outline: 3px solid var(--gateway-accent); outline-offset: 2px; }
.unseen { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.launcher {
  position: relative; display: grid; place-items: center; inline-size: 60px; block-size: 60px; border-radius: 50%;
  background: var(--gateway-accent); color: var(--gateway-on-accent); box-shadow: 0 6px 20px rgb(16 24 40 / .26); transition: transform .16s ease;
}
.launcher:hover { transform: translateY(-2px); }
.launcher svg { inline-size: 27px; block-size: 27px; }
.badge {
  position: absolute; inset-block-start: -3px; inset-inline-end: -3px; min-inline-size: 22px; block-size: 22px; padding-inline: 6px;
  border-radius: 11px; border: 2px solid var(--gateway-surface); background: var(--gateway-alert); color: #fff; font-size: 12px; font-weight: 650; line-height: 18px;
}
:host([scheme="dark"]) .badge { color: #1a0503; }

.panel {
  position: absolute; inset-block-end: 76px; inset-inline-end: 0; display: flex; flex-direction: column; overflow: hidden;
  inline-size: min(384px, calc(100vw - 2 * var(--gateway-gap))); block-size: min(620px, calc(100vh - 76px - 2 * var(--gateway-gap)));
  background: var(--gateway-surface); border: 1px solid var(--gateway-line); border-radius: var(--gateway-radius);
  box-shadow: 0 18px 50px rgb(16 24 40 / .22); animation: rise .2s ease-out;
}
@keyframes rise { from { opacity: 0; transform: translateY(10px); } }
header { display: flex; align-items: center; gap: 10px; padding: 15px 16px; background: var(--gateway-accent); color: var(--gateway-on-accent); }
header :focus-visible { outline-color: var(--gateway-on-accent); }
.who { flex: 1; min-inline-size: 0; }
h2 { margin: 0; font-size: 16.5px; font-weight: 650; line-height: 1.3; }
.who p { margin: 1px 0 0; min-block-size: 1.45em; font-size: 13px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.icon { display: grid; place-items: center; flex: none; inline-size: 38px; block-size: 38px; border-radius: 11px; }
.icon:hover { background: rgb(128 140 165 / .24); }

.banner { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; padding: 10px 16px; font-size: 13.5px; background: var(--gateway-quiet); border-block-end: 1px solid var(--gateway-line); }
.banner span { flex: 1 1 200px; }
.banner[data-tone="alert"] { box-shadow: inset 4px 0 var(--gateway-alert); }
.link { font-weight: 600; text-decoration: underline; text-underline-offset: 3px; min-block-size: 26px; }

.log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 18px 16px 10px; display: flex; flex-direction: column; gap: 3px; }
.log:focus-visible { outline-offset: -3px; }
.older { align-self: center; margin-block-end: 10px; font-size: 13.5px; }
.message { max-inline-size: 84%; align-self: flex-start; display: flex; flex-direction: column; align-items: flex-start; margin-block-start: 9px; }
.message.mine { align-self: flex-end; align-items: flex-end; }
.message.follows { margin-block-start: 0; }
.message.follows .by { display: none; }
.by { margin: 0 4px 3px; font-size: 12.5px; color: var(--gateway-faint); }
.bubble { margin: 0; padding: 9px 13px; border-radius: 16px; border-end-start-radius: 5px; background: var(--gateway-quiet); white-space: pre-wrap; overflow-wrap: anywhere; }
.mine .bubble { background: var(--gateway-accent); color: var(--gateway-on-accent); border-radius: 16px; border-end-end-radius: 5px; }
.mine[data-state^="failed"] .bubble { background: var(--gateway-surface); color: var(--gateway-text); outline: 1.5px dashed var(--gateway-alert); outline-offset: -1.5px; }
.state { display: flex; gap: 8px; align-items: baseline; margin: 3px 4px 0; font-size: 12.5px; color: var(--gateway-faint); }
[data-state^="failed"] .state { color: var(--gateway-alert); }
.note { align-self: center; margin: 10px 0 4px; font-size: 13px; color: var(--gateway-faint); text-align: center; }
a { color: inherit; text-underline-offset: 3px; overflow-wrap: anywhere; }
.attachment { display: flex; align-items: center; gap: 8px; }
.message .note { align-self: flex-start; margin: 4px 4px 0; }
.outline p { margin: 0; }
.outline strong { font-weight: 650; }
.outline ul { margin: 5px 0 3px; padding-inline-start: 18px; }
.picture { display: block; max-inline-size: 100%; max-block-size: 220px; border-radius: 12px; border: 1px solid var(--gateway-line); }
.choices { display: flex; flex-wrap: wrap; gap: 7px; margin-block-start: 8px; }
.choice { padding: 7px 14px; min-block-size: 36px; border: 1.5px solid var(--gateway-accent); border-radius: 18px; color: var(--gateway-accent); background: var(--gateway-surface); font-weight: 550; text-decoration: none; }
:host([scheme="dark"]) .choice { color: var(--gateway-text); }
.choice:hover { background: var(--gateway-quiet); }
.choice:disabled { opacity: .55; cursor: default; }
.cards { display: flex; gap: 10px; max-inline-size: 100%; overflow-x: auto; padding: 4px; margin: 4px -4px 0; }
.card { flex: 0 0 230px; border: 1px solid var(--gateway-line); border-radius: 14px; overflow: hidden; background: var(--gateway-surface); }
.card img { display: block; inline-size: 100%; block-size: 122px; object-fit: cover; background: var(--gateway-quiet); }
.card > div { padding: 11px 13px 13px; }
.card h3 { margin: 0 0 3px; font-size: 15px; }
.card p { margin: 0; font-size: 13.5px; color: var(--gateway-faint); }
.typing { align-self: flex-start; display: flex; gap: 5px; padding: 13px 14px; margin-block-start: 9px; border-radius: 16px; background: var(--gateway-quiet); }
.typing i { inline-size: 7px; block-size: 7px; border-radius: 50%; background: var(--gateway-faint); animation: nod 1.2s infinite ease-in-out; }
.typing i:nth-child(2) { animation-delay: .16s; } .typing i:nth-child(3) { animation-delay: .32s; }
@keyframes nod { 0%, 60%, 100% { transform: none; opacity: .5; } 30% { transform: translateY(-4px); opacity: 1; } }

form { display: flex; align-items: flex-end; gap: 6px; padding: 10px 12px 12px; border-block-start: 1px solid var(--gateway-line); }
textarea { flex: 1; resize: none; max-block-size: 128px; min-block-size: 40px; padding: 9px 13px; border: 1px solid var(--gateway-faint); border-radius: 14px; background: var(--gateway-surface); line-height: 1.4; field-sizing: content; }
textarea::placeholder { color: var(--gateway-faint); opacity: 1; }
textarea:focus-visible { outline-width: 2px; outline-offset: 0; }
.send { background: var(--gateway-accent); color: var(--gateway-on-accent); inline-size: 40px; block-size: 40px; border-radius: 13px; }
.send:hover { background: var(--gateway-accent); filter: brightness(1.08); }
.send[aria-disabled="true"] { background: var(--gateway-quiet); color: var(--gateway-faint); cursor: default; }
:host([dir="rtl"]) .send svg { transform: scaleX(-1); }
.ask { display: flex; flex-wrap: wrap; align-items: center; justify-content: center; gap: 8px 10px; padding: 14px 16px 16px; border-block-start: 1px solid var(--gateway-line); }
.ask p { margin: 0; flex-basis: 100%; text-align: center; }

@media (max-width: 480px) {
  .launcher[aria-expanded="true"] { display: none; }
  .panel { position: fixed; inset: 0; inline-size: 100%; block-size: 100dvh; border: 0; border-radius: 0; }
  textarea { font-size: 16px; }
}
@media (prefers-reduced-motion: reduce) { *, .launcher:hover { animation: none !important; transition: none !important; transform: none; } }
@media (forced-colors: active) {
  .launcher, .badge, .bubble, .mine .bubble, .choice, .send, .typing { border: 1px solid CanvasText; }
  .mine .bubble { border-width: 2px; border-color: Highlight; }
  .typing i { background: CanvasText; }
  :focus-visible { outline-color: Highlight; }
  .banner[data-tone="alert"] { border-inline-start: 4px solid CanvasText; }
}
`;
