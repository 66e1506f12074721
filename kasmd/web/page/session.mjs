// Who I am, what I may do and who else is here, as the server tells it.
//
// Fires "change" with detail {name, proof, rights: Set, reached, viewers}, and "notice" with
// {from, text}: a message to be shown.

const RETRY = 5000;
// What tells this page from others of the same person.
const random = crypto.getRandomValues(new Uint8Array(16));
const name = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const ofPage = `?page=${name}`;

export class Session extends EventTarget {
    #source = null;
    #timer = null;

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
    }

    // Ask no more: a refused password that is sent again and again locks its sender out.
    close() {
        clearTimeout(this.#timer);
        this.#source?.close();
        this.#source = null;
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

// Say in a sentence why the server does not let us in, and whether to log in helps.
export async function whyNot() {
    try {
        const answer = await fetch("api/v1/me", { headers: { Accept: "application/json" }, cache: "no-store" });
        if (answer.ok) {
            return { reason: "The desktop did not take the connection.", login: false };
        }
        return { reason: (await answer.json()).detail, login: answer.status === 401 };
    } catch {
        return { reason: "The server does not answer.", login: false };
    }
}
