// Files on their way to the desktop: chosen or dropped, two at a time, each with a card.
//
// Fires "begun" when there are more of them.

const AT_ONCE = 2;
const SHOWN_AFTER = 6000;
const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

export function sized(bytes) {
    const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
    const value = bytes / 1000 ** power;
    return bytes === 1 ? "1 byte" : `${value.toFixed(power && value < 100 ? 1 : 0)} ${UNITS[power]}`;
}

function made(name, className, properties = {}) {
    return Object.assign(document.createElement(name), { className, ...properties });
}

// Why a connection broke while a file was sent: an answer that came early may be lost with it.
async function whyBroken() {
    try {
        const answer = await fetch("api/v1/me", { cache: "no-store" });
        const me = answer.ok ? await answer.json() : { rights: [] };
        return me.rights.includes("upload") ? "The connection broke." : "You may not upload any more.";
    } catch {
        return "The server does not answer.";
    }
}

function whyRefused(request) {
    const problem = request.response ?? {};
    const [wrong] = problem.errors ?? [];
    return wrong ? `The name ${wrong.detail}.` : problem.detail ?? `The server answered ${request.status}.`;
}

class Transfer {
    #file;
    #request = new XMLHttpRequest();
    #over;
    #bar = made("progress", "", { max: 1, value: 0 });
    #state = made("p", "state", { textContent: "Waiting" });
    #button = made("button", "small", { type: "button", textContent: "Cancel" });
    card = made("article", "transfer");

    constructor(file, over) {
        this.#file = file;
        this.#over = over;
        this.#bar.ariaLabel = file.name;
        const head = made("div", "said");
        head.append(made("p", "name", { textContent: file.name, title: file.name, dir: "auto" }), this.#bar, this.#state);
        this.#button.addEventListener("click", () => this.#putAway());
        this.card.append(head, this.#button);
    }

    start() {
        const request = this.#request;
        request.upload.addEventListener("progress", ({ loaded }) => this.#sent(loaded));
        request.addEventListener("load", () => this.#answered());
        request.addEventListener("error", async () => this.#fail(await whyBroken()));
        request.responseType = "json";
        request.open("PUT", `api/v1/files/${encodeURIComponent(this.#file.name)}?number=true`);
        request.send(this.#file);
        this.#sent(0);
    }

    refuse(text) {
        this.#request.abort();
        this.#fail(text);
    }

    #sent(loaded) {
        this.#bar.value = this.#file.size ? loaded / this.#file.size : 1;
        this.#state.textContent = `${sized(loaded)} of ${sized(this.#file.size)}`;
    }

    #answered() {
        const { status, response } = this.#request;
        if (status !== 201) {
            this.#fail(whyRefused(this.#request));
            return;
        }
        this.#end("done", response.name === this.#file.name ? "Is there" : `Is there as ${response.name}`);
        setTimeout(() => this.card.remove(), SHOWN_AFTER);
    }

    #fail(text) {
        this.#end("failed", text);
    }

    #end(mood, text) {
        this.card.classList.add(mood);
        this.#bar.remove();
        this.#state.textContent = text;
        this.#button.textContent = "Put away";
        this.#over(this);
    }

    #putAway() {
        this.#request.abort();
        this.card.remove();
        this.#over(this);
    }
}

export class Uploads extends EventTarget {
    #may = false;
    #list;
    #field;
    #target;
    #waiting = [];
    #running = new Set();

    // `button` opens `field`, an input of files; `target` is shown over the page while
    // files are dragged; cards go to `list`.
    constructor(button, field, target, list) {
        super();
        this.#field = field;
        this.#target = target;
        this.#list = list;
        button.addEventListener("click", () => field.click());
        field.addEventListener("change", () => {
            this.#add([...field.files]);
            field.value = "";
        });
        addEventListener("dragover", (event) => this.#dragged(event));
        addEventListener("dragleave", (event) => event.relatedTarget ?? this.#show(false));
        addEventListener("drop", (event) => this.#dropped(event));
    }

    permit(rights) {
        this.#may = rights.has("upload");
        if (!this.#may) {
            this.#show(false);
            for (const transfer of [...this.#waiting.splice(0), ...this.#running]) {
                transfer.refuse("You may not upload any more.");
            }
        }
    }

    #show(wanted) {
        this.#target.hidden = !wanted;
    }

    // A file that nobody takes would else be opened in the page's place.
    #dragged(event) {
        if (event.dataTransfer.types.includes("Files")) {
            event.preventDefault();
            event.dataTransfer.dropEffect = this.#may ? "copy" : "none";
            this.#show(this.#may);
        }
    }

    #dropped(event) {
        if (!event.dataTransfer.types.includes("Files")) {
            return;
        }
        event.preventDefault();
        this.#show(false);
        const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
        const folders = items.map((item) => item.webkitGetAsEntry?.()?.isDirectory ?? false);
        this.#add([...event.dataTransfer.files], folders);
    }

    #add(files, folders = []) {
        for (const [index, file] of files.entries()) {
            const transfer = new Transfer(file, (ended) => this.#over(ended));
            this.#list.append(transfer.card);
            if (!this.#may) {
                transfer.refuse("You may not upload.");
            } else if (folders[index]) {
                transfer.refuse("This is a folder; only files can be brought.");
            } else {
                this.#waiting.push(transfer);
            }
        }
        this.#next();
        this.dispatchEvent(new Event("begun"));
    }

    #over(transfer) {
        this.#running.delete(transfer);
        this.#waiting = this.#waiting.filter((each) => each !== transfer);
        this.#next();
    }

    #next() {
        while (this.#running.size < AT_ONCE && this.#waiting.length) {
            const transfer = this.#waiting.shift();
            this.#running.add(transfer);
            transfer.start();
        }
    }
}
