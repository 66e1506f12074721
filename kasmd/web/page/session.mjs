// Who I am, what I may do and who else is here, as the server tells it.
//
// Fires "change" with detail {name, proof, rights: Set, reached, viewers}, "notice" with
// {from, text}: a message to be shown, and "lost" with {since} when the server does not
// answer what was asked then.

const RETRY = 5000;
// The server lets a page hear from it every 15 s.
const SILENCE = 20_000;
const PATIENCE = 10_000;
// What tells this page from others of the same person.
const random = crypto.getRandomValues(new Uint8Array(16));
const name = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const ofPage = `?page=${name}`;

export class Session extends EventTarget {
    #source = null;
    #timer = null;
    #silence = null;

    constructor() {
        super();
        addEventListener("offline", () => this.#silence && this.#doubt());
    }

    open() {
        if (this.#source !== null) {
            return;
        }
        clearTimeout(this.#timer);
        this.#source = new EventSource("api/v1/me/events" + ofPage);
        this.#source.addEventListener("message", (event) => this.#tell(JSON.parse(event.data)));
        this.#source.addEventListener("notice", (event) => {
            this.dispatchEvent(new CustomEvent("notice", { detail: JSON.parse(event.data) }));
        });
        this.#source.addEventListener("error", () => this.#failed());
        for (const sign of ["message", "notice", "here"]) {
            this.#source.addEventListener(sign, () => this.#heard());
        }
    }

    // Ask no more: a refused password that is sent again and again locks its sender out.
    close() {
        clearTimeout(this.#timer);
        clearTimeout(this.#silence);
        this.#silence = null;
        this.#source?.close();
        this.#source = null;
    }

    #heard() {
        clearTimeout(this.#silence);
        this.#silence = setTimeout(() => this.#doubt(), SILENCE);
    }

    // A proxy may hold a stream back: only a server that does not answer either is lost.
    async #doubt() {
        const source = this.#source;
        const since = performance.now();
        this.#heard();
        try {
            await ask();
        } catch {
            if (source === this.#source) {
                this.dispatchEvent(new CustomEvent("lost", { detail: { since } }));
            }
        }
    }

    #tell(me) {
        const detail = { ...me, rights: new Set(me.rights) };
        this.dispatchEvent(new CustomEvent("change", { detail }));
    }

    #failed() {
        // A lost connection is opened again by the browser; a refused one is not.
        if (this.#source?.readyState !== EventSource.CLOSED) {
            return;
        }
        this.close();
        this.#timer = setTimeout(() => this.open(), RETRY);
    }
}

// End the session that the cookie carries; the server closes all that it opened.
export async function logOut() {
    await fetch("logout", { method: "POST" });
    location.assign("login");
}

function ask() {
    const headers = { Accept: "application/json" };
    return fetch("api/v1/me", { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
}

// Say in a sentence why the server does not let us in, and whether to log in helps.
export async function whyNot() {
    try {
        const answer = await ask();
        if (answer.ok) {
            return {
                reason: "The desktop did not take the connection. If that stays so, a proxy or a firewall in"
                    + " between may let no websockets pass.",
                login: false,
            };
        }
        return { reason: (await answer.json()).detail, login: answer.status === 401 };
    } catch {
        return { reason: "The server does not answer.", login: false };
    }
}
