// One clipboard text, here and on the desktop.
//
// The text field always works.  Where the browser lets a page read its
// clipboard the two are kept in step, whenever this window gets the focus.

const PAUSE = 300;

export class Clipboard {
    #connection;
    #field;
    #allow;
    #hint;
    #last = "";
    #timer = null;
    #mayRead = false;
    #mayAsk = false;
    #rights = new Set();
    // One for all connections, so that at most one waits.
    #touched = () => this.#mayRead && this.#read();

    constructor(connection, field, allow, hint) {
        this.#connection = connection;
        this.#field = field;
        this.#allow = allow;
        this.#hint = hint;
        field.addEventListener("input", () => this.#edited());
        allow.addEventListener("click", () => this.#read());
        addEventListener("focus", () => this.#mayRead && this.#read());
        connection.addEventListener("rfb", (event) => this.#follow(event.detail));
        this.#askPermission();
    }

    permit(rights) {
        this.#rights = rights;
        this.#field.readOnly = !rights.has("clipboard_in");
        this.#explain();
    }

    #follow(rfb) {
        rfb.addEventListener("clipboard", (event) => this.#copied(event.detail.text));
        // Not at once: noVNC does not know yet whether the desktop takes more than Latin-1.
        rfb.addEventListener("connect", () => addEventListener("pointerdown", this.#touched, { once: true, capture: true }));
    }

    #copied(text) {
        this.#last = text;
        this.#field.value = text;
        // Refused without the focus or a recent click; the field has the text all the same.
        navigator.clipboard?.writeText(text).catch(() => {});
    }

    #edited() {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#paste(this.#field.value), PAUSE);
    }

    #paste(text) {
        if (text !== this.#last && this.#rights.has("clipboard_in")) {
            this.#last = text;
            this.#field.value = text;
            this.#connection.rfb?.clipboardPasteFrom(text);
        }
    }

    async #read() {
        try {
            this.#paste(await navigator.clipboard.readText());
        } catch {
            // Refused: the field remains.
        }
    }

    async #askPermission() {
        let permission = null;
        try {
            permission = await navigator.permissions.query({ name: "clipboard-read" });
        } catch {
            // This browser has no such permission to ask for.
        }
        const learn = () => {
            this.#mayRead = permission?.state === "granted";
            this.#mayAsk = permission?.state === "prompt";
            this.#explain();
        };
        permission?.addEventListener("change", learn);
        learn();
    }

    #explain() {
        this.#allow.hidden = !this.#mayAsk || !this.#rights.has("clipboard_in");
        if (!this.#rights.has("clipboard_in") && !this.#rights.has("clipboard_out")) {
            this.#hint.textContent = "You may not use the desktop's clipboard.";
        } else if (this.#field.readOnly) {
            this.#hint.textContent = "You may copy from the desktop only.";
        } else if (this.#mayRead) {
            this.#hint.textContent = "Kept in step with your clipboard.";
        } else {
            this.#hint.textContent = "Type or paste here to send.";
        }
    }
}
