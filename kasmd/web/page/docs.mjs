// Shows openapi.json to people.  All of it goes into the page as text.

function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

const nameOf = (schema) => schema.$ref.split("/").pop();

function typeOf(schema) {
    if (schema.$ref !== undefined) {
        return element("a", { href: `#${nameOf(schema)}` }, nameOf(schema));
    }
    if (schema.type === "array" && schema.items !== undefined) {
        return element("span", {}, "list of ", typeOf(schema.items));
    }
    return [schema.type ?? "any"].flat().join(" or ");
}

function limits(schema) {
    const { minimum, maximum, minLength, maxLength } = schema;
    const said = [];
    if (minimum !== undefined && maximum !== undefined) {
        said.push(`${minimum} to ${maximum}`);
    }
    if (maxLength !== undefined) {
        said.push(`${minLength ?? 0} to ${maxLength} characters`);
    }
    if (schema.default !== undefined) {
        said.push(`default ${schema.default}`);
    }
    return said.join(", ");
}

function row(name, schema, needed) {
    const notes = [schema.description, limits(schema)].filter(Boolean).join(" ");
    return element("tr", {},
        element("th", { scope: "row" }, element("code", {}, name)),
        element("td", {}, typeOf(schema), needed ? "" : ", optional"),
        element("td", {}, notes));
}

function table(rows) {
    return element("div", { className: "wide" },
        element("table", {}, element("tbody", {}, ...rows)));
}

function content(title, contents) {
    const [kind, { schema }] = Object.entries(contents)[0];
    return element("p", {}, `${title}: `, typeOf(schema), ` (${kind})`);
}

function operation(path, method, said, base) {
    const parts = [];
    if (said.parameters.length > 0) {
        parts.push(table(said.parameters.map((each) => row(
            each.name, { description: each.description, ...each.schema }, each.required))));
    }
    if (said.requestBody !== undefined) {
        parts.push(content("Body", said.requestBody.content));
    }
    const answers = Object.entries(said.responses);
    const [status, good] = answers.find(([code]) => code.startsWith("2"));
    parts.push(good.content === undefined
        ? element("p", {}, `Answer: ${status}, empty`)
        : content(`Answer: ${status}`, good.content));
    const refusals = answers.filter(([code]) => !code.startsWith("2")).map(([code]) => code);
    parts.push(element("p", { className: "soft" }, `Refusals: ${refusals.join(", ")}`));
    return element("article", { id: said.operationId },
        element("h3", {},
            element("b", { className: method }, method.toUpperCase()),
            " ", element("code", {}, base + path)),
        element("p", {}, said.summary, " ", said.description.replaceAll("`", "")),
        ...parts);
}

function schema(name, said) {
    const needed = new Set(said.required);
    return element("article", { id: name },
        element("h3", {}, element("code", {}, name)),
        element("p", {}, said.description ?? ""),
        table(Object.entries(said.properties).map(
            ([key, inner]) => row(key, inner, needed.has(key)))));
}

function show(api) {
    const base = api.servers[0].url;
    const sections = new Map();
    for (const [path, methods] of Object.entries(api.paths)) {
        for (const [method, said] of Object.entries(methods)) {
            const tag = said.tags[0];
            sections.set(tag, [
                ...sections.get(tag) ?? [], operation(path, method, said, base),
            ]);
        }
    }
    sections.set("schemas", Object.entries(api.components.schemas).map(
        ([name, said]) => schema(name, said)));
    for (const [tag, articles] of sections) {
        const title = tag[0].toUpperCase() + tag.slice(1);
        document.getElementById("index").append(element("a", { href: `#${tag}` }, title));
        document.getElementById("operations").append(
            element("section", { id: tag }, element("h2", {}, title), ...articles));
    }
    document.getElementById("about").textContent = `${api.info.summary} Version ${api.info.version}.`;
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

try {
    // An address with a password in it is none that fetch takes.
    const answer = await fetch(new URL("openapi.json", location.origin + location.pathname));
    if (!answer.ok) {
        throw new Error(`the server answered ${answer.status}`);
    }
    show(await answer.json());
} catch (error) {
    document.getElementById("about").textContent = `The document cannot be shown: ${error.message}.`;
}
