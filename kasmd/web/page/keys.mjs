// Keys that a browser keeps for itself, and typing on a phone.

import keysyms from "./novnc/core/input/keysymdef.js";
import KeyTable from "./novnc/core/input/keysym.js";

const NAMED = {
    ControlLeft: KeyTable.XK_Control_L,
    AltLeft: KeyTable.XK_Alt_L,
    Tab: KeyTable.XK_Tab,
    Escape: KeyTable.XK_Escape,
    Enter: KeyTable.XK_Return,
    ArrowLeft: KeyTable.XK_Left,
    ArrowRight: KeyTable.XK_Right,
    ArrowUp: KeyTable.XK_Up,
    ArrowDown: KeyTable.XK_Down,
};
// Something to delete, so that Backspace on a phone is seen at all.
const PADDING = "\u00a0".repeat(64);

export class Keys {
    #connection;
    #section;

    constructor(connection, section, typing) {
        this.#connection = connection;
        this.#section = section;
        for (const button of section.querySelectorAll("[data-tap]")) {
            button.addEventListener("click", () => this.#tap(button.dataset.tap));
        }
        for (const button of section.querySelectorAll("[data-hold]")) {
            button.addEventListener("click", () => this.#hold(button, button.ariaPressed !== "true"));
        }
        this.#listen(typing);
    }

    // Who may not type any more, or has no connection, holds nothing down there either.
    permit(may) {
        for (const button of this.#section.querySelectorAll("button")) {
            button.disabled = !may;
            if (!may && button.ariaPressed) {
                button.ariaPressed = "false";
            }
        }
    }

    #send(keysym, code, down) {
        this.#connection.rfb?.sendKey(keysym, code, down);
    }

    #tap(name) {
        if (name === "CtrlAltDel") {
            this.#connection.rfb?.sendCtrlAltDel();
        } else {
            this.#send(NAMED[name], name);
        }
    }

    #hold(button, down) {
        this.#send(NAMED[button.dataset.hold], button.dataset.hold, down);
        button.ariaPressed = String(down);
    }

    #listen(typing) {
        typing.value = PADDING;
        typing.addEventListener("focus", () => typing.setSelectionRange(PADDING.length, PADDING.length));
        typing.addEventListener("keydown", (event) => {
            if (event.key in NAMED) {
                event.preventDefault();
                this.#send(NAMED[event.key], event.code);
            }
        });
        let before = PADDING;
        typing.addEventListener("input", (event) => {
            this.#typed(before, typing.value);
            if (!event.isComposing && typing.value !== PADDING) {
                typing.value = PADDING;
            }
            before = typing.value;
        });
        typing.addEventListener("compositionend", () => { before = typing.value = PADDING; });
    }

    // Type what turns `before` into `after`: go back, then write.
    #typed(before, after) {
        const old = [...before];
        const now = [...after];
        let same = 0;
        while (same < old.length && same < now.length && old[same] === now[same]) {
            same += 1;
        }
        for (let i = same; i < old.length; i += 1) {
            this.#send(KeyTable.XK_BackSpace, "Backspace");
        }
        for (const character of now.slice(same)) {
            const keysym = character === "\n" ? KeyTable.XK_Return : keysyms.lookup(character.codePointAt(0));
            this.#send(keysym, null);
        }
    }
}
