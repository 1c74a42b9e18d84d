-- SPDX-License-Identifier: Apache-2.0
-- What Cardveil is compared with: the same substitution in nginx + Lua, as quick as we could write it. The cards lie in a table
-- of the worker's memory, unsealed; there is no audit trail, no other process, no JSON parser and no echo guard.
local M = {}

local number, month, year = {}, {}, {}
local element = { expirationMonth = month, expirationYear = year }   -- every other field takes the number

function M.load(file)
    for line in io.lines(file) do
        local token, n, m, y = line:match("^(%S+)\t(%S+)\t(%S+)\t(%S+)$")
        number[token], month[token], year[token] = n, m, y
    end
end

local find, sub, byte, concat = string.find, string.sub, string.byte, table.concat

-- Plain searches that LuaJIT compiles: measured, several times quicker than string.gsub and ngx.re.gsub with a callback, most of
-- all for the large body. nil for a token that is not in the table.
local function substitute(body)
    local out, n, at = {}, 0, 1
    while true do
        local opens = find(body, '":"{{ ', at, true)
        if not opens then break end
        local closes = find(body, " : detokenize }}", opens + 6, true)
        if not closes then break end
        local name = opens - 1
        while name > at and byte(body, name) ~= 34 do name = name - 1 end
        local value = (element[sub(body, name + 1, opens - 1)] or number)[sub(body, opens + 6, closes - 1)]
        if not value then return nil end
        out[n + 1], out[n + 2] = sub(body, at, opens + 2), value
        n, at = n + 2, closes + 16
    end
    out[n + 1] = sub(body, at)
    return concat(out)
end

function M.rewrite()
    ngx.req.read_body()
    local body = ngx.req.get_body_data()
    if not body then return ngx.exit(413) end
    body = substitute(body)
    if not body then return ngx.exit(422) end
    ngx.req.set_body_data(body)
end

return M
