// The files that the desktop hands out, folder by folder.

import { sized } from "./uploads.mjs";

function made(name, className, textContent, more = {}) {
    return Object.assign(document.createElement(name), { className, textContent, ...more });
}

export class Downloads {
    #may = false;
    #path = [];
    #section;
    #list;
    #hint;

    constructor(section, list, hint, again) {
        this.#section = section;
        this.#list = list;
        this.#hint = hint;
        again.addEventListener("click", () => this.show());
    }

    permit(rights, seen) {
        const could = this.#may;
        this.#may = rights.has("download");
        this.#section.hidden = !this.#may;
        if (!this.#may) {
            this.#list.replaceChildren();
        } else if (seen && !could) {
            this.show();
        }
    }

    // Ask what there is now.
    async show() {
        if (!this.#may) {
            return;
        }
        const path = this.#path;
        let found = null;
        try {
            const answer = await fetch(`api/v1/downloads?path=${encodeURIComponent(path.join("/"))}`);
            found = answer.ok ? await answer.json() : null;
        } catch {
            // The server does not answer.
        }
        if (path === this.#path && this.#may) {
            this.#draw(found ?? []);
            if (found === null) {
                this.#hint.textContent = "The files cannot be listed at the moment.";
            }
        }
    }

    #draw(found) {
        const files = found.filter(({ name }) => !name.startsWith("."));
        files.sort((one, other) => other.folder - one.folder || other.modified - one.modified);
        const items = files.map((each) => (each.folder ? this.#folder(each) : this.#file(each)));
        if (this.#path.length) {
            items.unshift(this.#opening(this.#path.slice(0, -1), "Back"));
        }
        this.#list.replaceChildren(...items);
        this.#hint.textContent = files.length ? "" : "No files here.";
    }

    #opening(path, text) {
        const button = made("button", "folder", text, { type: "button", title: text, dir: "auto" });
        button.addEventListener("click", () => {
            this.#path = path;
            this.show();
        });
        return this.#item(button);
    }

    #folder({ name }) {
        return this.#opening([...this.#path, name], `${name}/`);
    }

    #file({ name, size }) {
        const path = [...this.#path, name].map(encodeURIComponent).join("/");
        const link = made("a", "file", name, { href: `Downloads/${path}`, download: name, title: name, dir: "auto" });
        return this.#item(link, made("span", "since", sized(size)));
    }

    #item(...parts) {
        const item = document.createElement("li");
        item.append(...parts);
        return item;
    }
}
