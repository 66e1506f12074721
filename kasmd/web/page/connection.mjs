// The desktop's connection: made, lost, explained, made again.
//
// Fires "state" with detail {state, reason, seconds}:
//   connecting   a try is under way
//   connected    the desktop is there
//   waiting      lost; the next try is in `seconds`
//   stopped      ended for good, until someone asks to connect; `login`: or logs in again
// and "rfb" with each new RFB object.

import RFB from "./novnc/core/rfb.js";
import { readColumns } from "./columns.mjs";
import { ofPage, whyNot } from "./session.mjs";

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
        const rfb = new RFB(this.#target, socket, { shared: true });
        readColumns(rfb);
        let reason = "";
        rfb.addEventListener("connect", () => {
            this.#since = performance.now();
            this.#say("connected");
        });
        rfb.addEventListener("securityfailure", (event) => { reason = event.detail.reason ?? ""; });
        rfb.addEventListener("disconnect", () => this.#lost(close, reason));
        this.#rfb = rfb;
        this.dispatchEvent(new CustomEvent("rfb", { detail: rfb }));
    }

    async #lost(close, said) {
        this.#rfb = null;
        if (this.#since && performance.now() - this.#since > STEADY) {
            this.#failures = 0;
        }
        const wasThere = this.#since > 0;
        this.#since = 0;
        let reason = sentence(said || close?.reason || "");
        let login = close?.code === POLICY;
        if (!reason && !wasThere) {
            ({ reason, login } = await whyNot());
        }
        if (!reason) {
            reason = close?.code === NO_CLOSE_FRAME ? "The network connection broke." : "The desktop closed the connection.";
        }
        if (login) {
            this.#say("stopped", reason, 0, login);
        } else {
            this.#wait(reason);
        }
    }

    #wait(reason) {
        let seconds = DELAYS[Math.min(this.#failures++, DELAYS.length - 1)];
        this.#say("waiting", reason, seconds);
        this.#timer = setInterval(() => {
            seconds -= 1;
            if (seconds > 0) {
                this.#say("waiting", reason, seconds);
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

    #say(state, reason = "", seconds = 0, login = false) {
        this.dispatchEvent(new CustomEvent("state", { detail: { state, reason, seconds, login } }));
    }
}
