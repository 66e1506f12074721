// The door: sends the form of the log-in or the invitation page and says what came of it.

const form = document.querySelector("form");
const message = document.getElementById("message");
const button = form.querySelector("button");
const code = document.getElementById("code");

// An invitation's code stands behind the #, which is sent to nobody.
if (code !== null && location.hash.length > 1) {
    code.value = location.hash.slice(1);
    document.getElementById("code-field").hidden = true;
    button.focus();
}

function come() {
    // Either the page that was asked for, whose place this one took, or the desktop.
    if (/\/(login|invite)$/.test(location.pathname)) {
        location.replace("./");
    } else {
        location.reload();
    }
}

// A browser that is told to keep a cookie need not: inside another site's page it may not.
async function isKept() {
    const answer = await fetch(new URL("./", form.action), { method: "HEAD" });
    return answer.status !== 401;
}

function refuse(text) {
    message.textContent = text;
    button.disabled = false;
    const password = document.getElementById("password");
    password?.focus();
    password?.select();
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    message.textContent = "";
    try {
        const answer = await fetch(form.action, {
            method: "POST",
            headers: { "Content-Type": "application/json", Accept: "application/json" },
            body: JSON.stringify(Object.fromEntries(new FormData(form))),
        });
        if (!answer.ok) {
            refuse((await answer.json()).detail);
        } else if (await isKept()) {
            come();
        } else {
            refuse("Your browser did not keep the log-in. Inside another site's page that takes"
                + " site.embedding; else allow cookies for this site.");
        }
    } catch {
        refuse("The server does not answer.");
    }
});
