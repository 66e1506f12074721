// What a person chose, kept in this browser.

const STORE = "kasmd";
const DEFAULTS = { size: "remote", quality: 6, compression: 2 };

function stored() {
    try {
        return JSON.parse(localStorage.getItem(STORE)) ?? {};
    } catch {
        return {};
    }
}

const values = { ...DEFAULTS, ...stored() };

export function setting(name) {
    return values[name];
}

export function choose(name, value) {
    values[name] = value;
    try {
        localStorage.setItem(STORE, JSON.stringify(values));
    } catch {
        // A browser that keeps nothing still uses the choice until it leaves.
    }
}
