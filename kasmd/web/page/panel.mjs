// The panel at the edge: opened by its handle or Ctrl+Alt+Shift+P, closed by Escape.

import { choose, setting } from "./settings.mjs";

const element = (id) => document.getElementById(id);

function ago(since) {
    const minutes = Math.max(0, Math.round((Date.now() / 1000 - since) / 60));
    return minutes < 1 ? "just now" : minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

export class Panel extends EventTarget {
    #panel = element("panel");
    #handle = element("handle");

    constructor() {
        super();
        this.#handle.addEventListener("click", () => this.open(!this.isOpen));
        element("close").addEventListener("click", () => this.open(false));
        // The desktop keeps the keys that are its own.
        addEventListener("keydown", (event) => this.isOpen && event.key === "Escape" && !event.isComposing && this.open(false));
        addEventListener("keydown", (event) => this.#shortcut(event), { capture: true });
        this.#connectSettings();
        this.#connectFullScreen();
    }

    get isOpen() {
        return !this.#panel.inert;
    }

    open(wanted) {
        this.#panel.inert = !wanted;
        this.#handle.ariaExpanded = String(wanted);
        if (wanted) {
            element("close").focus();
        } else {
            this.#handle.focus({ focusVisible: false });
        }
        this.dispatchEvent(new CustomEvent("toggle", { detail: wanted }));
    }

    #shortcut(event) {
        if (event.code === "KeyP" && event.ctrlKey && event.altKey && event.shiftKey) {
            event.preventDefault();
            event.stopPropagation();
            this.open(!this.isOpen);
        }
    }

    #connectSettings() {
        for (const name of ["size", "quality", "compression"]) {
            const field = element(name);
            const shown = document.querySelector(`output[for=${name}]`);
            const show = () => shown && (shown.value = field.value);
            field.value = setting(name);
            show();
            field.addEventListener("input", show);
            field.addEventListener("change", () => {
                choose(name, field.type === "range" ? Number(field.value) : field.value);
                this.dispatchEvent(new Event("settings"));
            });
        }
    }

    #connectFullScreen() {
        const button = element("fullscreen");
        button.hidden = !document.fullscreenEnabled;
        button.addEventListener("click", () => {
            const change = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
            change.catch(() => {});
        });
        document.addEventListener("fullscreenchange", () => {
            const full = document.fullscreenElement !== null;
            button.ariaPressed = String(full);
            button.textContent = full ? "Leave full screen" : "Full screen";
        });
    }

    showPeople(viewers) {
        element("here").replaceChildren(...viewers.map((viewer) => {
            const item = document.createElement("li");
            const face = Object.assign(document.createElement("span"), { className: "face", ariaHidden: "true" });
            face.textContent = ([...viewer.name][0] ?? "?").toUpperCase();
            const name = Object.assign(document.createElement("span"), { className: "name", title: viewer.name, dir: "auto" });
            name.textContent = viewer.name;
            const since = Object.assign(document.createElement("span"), { className: "since" });
            since.textContent = ago(viewer.since);
            item.append(face, name, viewer.you ? "(you)" : "", since);
            return item;
        }));
    }

    showRights(rights) {
        const size = setting("size");
        element("size").options[0].disabled = !rights.has("resize");
        element("size").value = size === "remote" && !rights.has("resize") ? "scale" : size;
    }
}
