// Messages to the person who watches: each stays until it is put away.
//
// Fires "away" when one was.

const MOST = 3;

function made(name, className, text = "") {
    return Object.assign(document.createElement(name), { className, textContent: text });
}

function closing() {
    const button = Object.assign(made("button", "plain"), { type: "button", title: "Put away" });
    const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    drawing.setAttribute("viewBox", "0 0 24 24");
    drawing.setAttribute("aria-hidden", "true");
    const cross = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cross.setAttribute("d", "m6 6 12 12M18 6 6 18");
    drawing.append(cross);
    button.append(made("span", "unseen", "Put this message away"), drawing);
    return button;
}

export class Messages extends EventTarget {
    #list;

    constructor(list) {
        super();
        this.#list = list;
    }

    show({ from, text }) {
        const card = made("article", "message");
        const face = made("span", "face", ([...from][0] ?? "?").toUpperCase());
        face.ariaHidden = "true";
        const at = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
        const words = Object.assign(made("p", "text", text), { dir: "auto", tabIndex: 0 });
        const said = made("div", "said");
        const head = made("p", "head");
        head.append(made("b", "name", from), made("span", "since", at));
        said.append(head, words);
        const button = closing();
        button.addEventListener("click", () => {
            card.remove();
            this.dispatchEvent(new Event("away"));
        });
        card.append(face, said, button);
        this.#list.append(card);
        while (this.#list.children.length > MOST) {
            this.#list.firstElementChild.remove();
        }
    }
}
