/**
 * Types of client.js, for pages that draw their own chat: `import { Client } from "https://gateway.example/static/client.<hash>.js"`.
 * Rule kept: what is not named here may change without notice.
 */

/** `idle` before the first `connect`; `signin` when a signed-in session ended and only a new sign-in may go on. */
export type State =
  | "idle" | "connecting" | "online" | "reconnecting" | "offline" | "refused" | "signin" | "elsewhere" | "ended";

export interface Guest { id: string; verified: boolean }

export interface Message {
  /** Genesys' id, or ours until it is confirmed. */
  id: string;
  /** Never changes, also when the message is confirmed: the key for drawing. */
  key: string;
  mine: boolean;
  text: string;
  /** Content of the Guest API as it came: Attachment, Card, Carousel, QuickReply, ButtonResponse and later kinds. */
  content: Array<Record<string, unknown> & { contentType: string }>;
  /** Milliseconds since 1970 by Genesys' clock; null until confirmed. */
  time: number | null;
  state: "waiting" | "sending" | "sent" | "failed";
  /** Why it failed; `message.unconfirmed` = it may have arrived. */
  reason: string;
  from: "Human" | "Bot" | null;
  name: string;
  image: string;
}

export interface FileRules { types: string[]; maxBytes: number; blocked: string[] }
export interface Reply { type: "QuickReply" | "Button"; text: string; payload: string }

/** A token; a function that returns one; or Zendesk's form, a function that is given a function to call with the token. */
export type VisitorProof = string | (() => string | Promise<string>) | ((give: (token: string) => void) => void);

export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly requestId: string;
  readonly retryAfterS: number;
  /** True when the same call may succeed later. */
  readonly passing: boolean;
}

export interface Timing {
  backoffBaseMs: number; backoffCapMs: number; answerMs: number; confirmMs: number; renewAgainMs: number;
  settledMs: number; longAbsenceMs: number;
}

export interface ClientOptions {
  /** Address of the site at the gateway: `https://gateway.example/sites/shop`. */
  base: string;
  site: string;
  deploymentId: string;
  /** Prove a key of this browser with each call (RFC 9449); the site's `session.dpop` says whether it must be. */
  dpop?: boolean;
  timing?: Partial<Timing>;
  random?: () => number;
  debug?: (step: string, detail?: Record<string, unknown>) => void;
}

export interface Events {
  state: State;
  /** Something in `messages` changed. */
  thread: undefined;
  /** A new message of the other side. */
  message: Message;
  typing: boolean;
  guest: Guest | null;
  left: undefined;
  problem: Problem;
}

export class Client {
  constructor(options: ClientOptions);
  readonly state: State;
  readonly guest: Guest | null;
  readonly messages: Message[];
  readonly more: boolean;
  readonly files: FileRules | null;
  /** What is typed and not sent; kept over a reload. */
  draft: string;
  on<Name extends keyof Events>(event: Name, listener: (detail: Events[Name]) => void): () => void;
  connect(): void;
  /** Throws Problem `message.too_long`. */
  send(text: string, options?: { reply?: Reply | null; attachmentId?: string | null }): string;
  retry(id: string): void;
  typing(): void;
  /** Resolves to true when there are older pages. */
  history(pageNumber?: number): Promise<boolean>;
  /** Resolves to the message's id. */
  attach(file: File, text?: string): Promise<string>;
  /** A fresh address of a file in the thread: signed addresses expire. */
  fileAddress(attachmentId: string): Promise<string>;
  /** Null takes an attribute away. Throws Problem `context.too_large`. */
  setContext(attributes: Record<string, string | number | boolean | null>): void;
  signIn(proof: VisitorProof): Promise<void>;
  signOut(): Promise<void>;
  end(): Promise<void>;
  /** Sign out, and leave nothing in the browser's storage. */
  forget(): Promise<void>;
}
