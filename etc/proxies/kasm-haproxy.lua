-- Asks Kasm's API whether a request may pass, for kasm-webapp-haproxy.cfg and
-- kasm-agent-haproxy.cfg: leaves the status in txn.kasm_status, what the answer says in
-- txn.connect_*, and the cookies that are anybody's business in txn.kasm_cookies.

local PROVES = { "username", "session_token", "kasm_client_key" }
local SAYS = { "hostname", "port", "path", "auth", "kasm_id" }

local function cookies(txn)
    local found = {}
    for _, name in ipairs(PROVES) do
        local value = txn.f:req_cook(name)
        if value ~= nil and value ~= "" then
            found[#found + 1] = name .. "=" .. value
        end
    end
    return table.concat(found, "; ")
end

local function ask(txn, url)
    local cookie = cookies(txn)
    local answer = core.httpclient():get({
        url = url,
        timeout = 5000,
        headers = {
            ["host"] = { txn.f:req_hdr("host") or "" },
            ["cookie"] = { cookie },
            ["user-agent"] = { txn.f:req_hdr("user-agent") or "" },
            ["x-original-uri"] = { txn.f:pathq() },
            ["x-real-ip"] = { txn.f:src() },
        },
    })
    txn:set_var("txn.kasm_cookies", cookie)
    txn:set_var("txn.kasm_status", (answer or {}).status or 0)
    for _, name in ipairs(SAYS) do
        local values = ((answer or {}).headers or {})["connect_" .. name]
        txn:set_var("txn.connect_" .. name, values and values[0] or "")
    end
end

core.register_action("kasm_ask", { "http-req" }, ask, 1)
