// The page: introduces connection, session, panel, keys, clipboard and files to one another.

import { Clipboard } from "./clipboard.mjs";
import { Connection } from "./connection.mjs";
import { Downloads } from "./downloads.mjs";
import { Keys } from "./keys.mjs";
import { Messages } from "./messages.mjs";
import { Panel } from "./panel.mjs";
import { Session, logOut } from "./session.mjs";
import { setting } from "./settings.mjs";
import { Uploads } from "./uploads.mjs";

const element = (id) => document.getElementById(id);
const curtain = element("curtain");
const connection = new Connection(element("screen"));
const session = new Session();
const panel = new Panel();
const messages = new Messages(element("messages"));
const clipboard = new Clipboard(connection, element("clipboard"), element("clipboard-allow"), element("clipboard-hint"));
const uploads = new Uploads(element("upload-choose"), element("upload-files"), element("drop"), element("transfers"));
const downloads = new Downloads(
    element("downloads"), element("downloads-list"), element("downloads-hint"), element("downloads-again"),
);
const keys = new Keys(connection, element("keys"), element("typing"));

const fingersOnly = matchMedia("not all and (any-pointer: fine)");

let me = { name: "", rights: new Set(), reached: true, viewers: [] };
let state = "connecting";
let everConnected = false;
// Whether the desktop had several screens when this page met it; null before it is asked.
let arranged = null;

function say(text) {
    if (element("status").textContent !== text) {
        element("status").textContent = text;
    }
}

// What the rights mean for the person, or that there is nothing to see at the moment, in a
// sentence; empty when all is allowed.
function limits() {
    if (!me.name || state !== "connected") {
        return "";
    }
    if (!me.rights.has("view")) {
        return "You may not see this desktop";
    }
    if (!me.reached) {
        return "The desktop does not answer";
    }
    const [types, points] = [me.rights.has("keyboard"), me.rights.has("pointer")];
    if (types !== points) {
        return types ? "You may type but not click" : "You may click but not type";
    }
    return types ? "" : "You may look but not type";
}

// noVNC acts at every assignment, so only changes are assigned: two people's
// pages would else resize the desktop in turns.
function assign(rfb, wanted) {
    for (const [name, value] of Object.entries(wanted)) {
        if (rfb[name] !== value) {
            rfb[name] = value;
        }
    }
}

function apply() {
    if (connection.rfb) {
        const size = setting("size");
        assign(connection.rfb, {
            // First of all, for noVNC asks for no new size while it is set.  Until the rights
            // are known nothing typed is held back: the server decides anyway.
            viewOnly: me.name !== "" && !(me.rights.has("keyboard") || me.rights.has("pointer")),
            scaleViewport: size !== "actual",
            // Fingers have no scroll bars: they move the picture, and tap to click.
            clipViewport: fingersOnly.matches && size === "actual",
            dragViewport: fingersOnly.matches && size === "actual",
            resizeSession: size === "remote" && me.rights.has("resize") && arranged === false,
            qualityLevel: setting("quality"),
            compressionLevel: setting("compression"),
        });
    }
    const text = limits();
    // The last picture is nobody's any more who may not see the next.
    element("screen").classList.toggle("blind", me.name !== "" && !me.rights.has("view"));
    element("chip").hidden = !text;
    element("chip").textContent = text;
    const whom = me.name && ` as ${me.name}`;
    element("who").textContent = text || (state === "connected" ? `Connected${whom}` : "Not connected");
    keys.permit(state === "connected" && me.rights.has("keyboard"));
    element("dot").className = `dot ${state === "connected" ? "up" : state === "stopped" ? "down" : ""}`;
    if (state === "connected") {
        say(text || "Connected");
    }
    countScreens();
}

// A page knows one screen: one that comes to several leaves them alone, until it is
// told to resize the desktop.
async function countScreens() {
    if (arranged !== null || state !== "connected" || !me.reached || !me.rights.has("view") || !me.rights.has("resize")) {
        return;
    }
    arranged = true;
    let several = false;
    try {
        const answer = await fetch("api/v1/screens", { cache: "no-store" });
        several = answer.ok && (await answer.json()).screens.length > 1;
    } catch {
        // It is asked for its size all the same.
    }
    if (me.reached) {
        arranged = several;
        apply();
    }
}

// On a phone the panel is over what is told on the page.
function uncover() {
    if (panel.isOpen && matchMedia("(max-width: 600px)").matches) {
        panel.open(false);
    }
}

const CURTAINS = {
    connecting: () => ["busy", "Connecting", "One moment."],
    waiting: ({ reason, seconds }) => [
        "busy", everConnected ? "Connection lost" : "Not connected", `${reason}\nTrying again in ${seconds} s.`,
    ],
    stopped: ({ reason }) => ["halted", "Disconnected", reason],
};

function draw(detail) {
    const { state: next, reason } = detail;
    const wasConnected = state === "connected";
    state = next;
    if (state === "connected") {
        everConnected = true;
        curtain.className = "gone";
        arranged = null;
    } else {
        const [mood, title, text] = CURTAINS[state](detail);
        curtain.className = mood;
        element("curtain-title").textContent = title;
        element("curtain-text").textContent = text;
        element("curtain-retry").hidden = state === "connecting" || detail.only === true;
        element("curtain-login").hidden = !detail.login;
        if (wasConnected || state === "stopped") {
            say(`${title}. ${reason}`);
            uncover();
        }
    }
    if (state === "connecting" || state === "connected") {
        session.open();
    } else {
        session.close();
        panel.showPeople([]);
    }
    apply();
}

function introduce(rfb) {
    rfb.background = "transparent";
    rfb.addEventListener("connect", () => panel.isOpen || rfb.focus());
    rfb.addEventListener("desktopname", (event) => {
        const name = event.detail.name || "Desktop";
        element("desktop-name").textContent = document.title = name;
    });
    apply();
}

connection.addEventListener("rfb", (event) => introduce(event.detail));
connection.addEventListener("state", (event) => draw(event.detail));
session.addEventListener("change", (event) => {
    me = event.detail;
    if (!me.reached) {
        // A desktop that comes back may have another size, and other screens.
        arranged = null;
    }
    clipboard.permit(me.rights);
    uploads.permit(me.rights);
    element("upload").hidden = !me.rights.has("upload");
    downloads.permit(me.rights, panel.isOpen);
    panel.showRights(me.rights);
    panel.showPeople(me.viewers);
    element("log-out").hidden = me.proof !== "login" && me.proof !== "invitation";
    apply();
});
session.addEventListener("lost", (event) => connection.drop("The server does not answer.", event.detail.since));
session.addEventListener("notice", (event) => messages.show(event.detail));
uploads.addEventListener("begun", uncover);
messages.addEventListener("away", () => panel.isOpen || connection.rfb?.focus());
panel.addEventListener("settings", apply);
element("size").addEventListener("change", () => {
    arranged = false;
    apply();
});
panel.addEventListener("toggle", (event) => {
    if (event.detail) {
        // Keys held down while the focus leaves would stay down; noVNC lets go of them
        // when the window loses it.
        dispatchEvent(new Event("blur"));
        downloads.show();
    } else if (state === "connected") {
        // No key leads from the handle to the desktop.
        connection.rfb.focus();
    }
});
element("keyboard").addEventListener("click", () => {
    panel.open(false);
    element("typing").focus();
});
element("log-out").addEventListener("click", logOut);
element("curtain-retry").addEventListener("click", () => connection.connect());

element("curtain-late").remove();
connection.connect();
