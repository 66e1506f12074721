// The desktop's connection: made, lost, explained, made again.
//
// Fires "state" with detail {state, reason, seconds}:
//   connecting   a try is under way
//   connected    the desktop is there
//   waiting      lost; the next try is in `seconds`
//   stopped      ended for good, until someone asks to connect; `login`: or logs in again,
//                which `only` helps
// and "rfb" with each new RFB object.

import RFB from "./novnc/core/rfb.js";
import { readColumns } from "./columns.mjs";
import { ofPage, whyNot } from "./session.mjs";

// So long a connection may take: what lets no websocket through need not say so.
const PATIENCE = 20_000;
const DELAYS = [1, 2, 4, 8, 15, 30];
// A connection that lasted this long was a good one: begin the delays anew.
const STEADY = 10_000;
const POLICY = 1008;
const NO_CLOSE_FRAME = 1006;

function address() {
    const url = new URL("websockify" + ofPage, document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
}

// A reason as it came, as a sentence.
function sentence(reason) {
    return reason && reason[0].toUpperCase() + reason.slice(1) + (/[.!?]$/.test(reason) ? "" : ".");
}

export class Connection extends EventTarget {
    #target;
    #rfb = null;
    #failures = 0;
    #timer = null;
    #since = 0;
    #heard = 0;
    // Why the connection ends, where the page itself knows.
    #reason = "";

    constructor(target) {
        super();
        this.#target = target;
        addEventListener("online", () => this.#hurry());
        document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
    }

    get rfb() {
        return this.#rfb;
    }

    connect() {
        clearInterval(this.#timer);
        this.#timer = null;
        this.#say("connecting");
        const socket = new WebSocket(address(), ["binary"]);
        let close = null;
        socket.addEventListener("close", (event) => { close = event; });
        socket.addEventListener("message", () => { this.#heard = performance.now(); });
        const rfb = new RFB(this.#target, socket, { shared: true });
        readColumns(rfb);
        const late = setTimeout(() => rfb.disconnect(), PATIENCE);
        rfb.addEventListener("connect", () => {
            clearTimeout(late);
            this.#since = performance.now();
            this.#say("connected");
        });
        rfb.addEventListener("securityfailure", (event) => { this.#reason = event.detail.reason ?? ""; });
        rfb.addEventListener("disconnect", () => {
            clearTimeout(late);
            this.#lost(close);
        });
        this.#rfb = rfb;
        this.dispatchEvent(new CustomEvent("rfb", { detail: rfb }));
    }

    // Give up a connection on which nothing came since then.
    drop(reason, since) {
        if (this.#rfb !== null && this.#heard < since) {
            this.#reason = reason;
            this.#rfb.disconnect();
        }
    }

    async #lost(close) {
        const said = this.#reason;
        this.#reason = "";
        this.#rfb = null;
        if (this.#since && performance.now() - this.#since > STEADY) {
            this.#failures = 0;
        }
        const wasThere = this.#since > 0;
        this.#since = 0;
        let reason = sentence(said || close?.reason || "");
        let login = close?.code === POLICY;
        let only = false;
        if (!reason && !wasThere) {
            ({ reason, login } = await whyNot());
            only = login;
        }
        if (!reason) {
            reason = close?.code === NO_CLOSE_FRAME ? "The network connection broke." : "The desktop closed the connection.";
        }
        if (login) {
            this.#say("stopped", { reason, login, only });
        } else {
            this.#wait(reason);
        }
    }

    #wait(reason) {
        let seconds = DELAYS[Math.min(this.#failures++, DELAYS.length - 1)];
        this.#say("waiting", { reason, seconds });
        this.#timer = setInterval(() => {
            seconds -= 1;
            if (seconds > 0) {
                this.#say("waiting", { reason, seconds });
            } else if (!document.hidden) {
                this.connect();
            }
        }, 1000);
    }

    #hurry() {
        if (this.#timer !== null) {
            this.connect();
        }
    }

    #say(state, more = {}) {
        this.dispatchEvent(new CustomEvent("state", { detail: { state, reason: "", ...more } }));
    }
}
