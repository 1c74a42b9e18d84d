-- SPDX-License-Identifier: Apache-2.0
-- wrk -s wrk.lua URL -- payment|batch BODY TOKENS SEED [API-KEY]
--   payment  BODY is a template with @REFERENCE@ and @TOKEN@; each request takes one random token of the file TOKENS
--   batch    BODY goes out as it is
local pieces, tokens, head, fixed

local function whole(file)
    local f = assert(io.open(file, "rb"))
    local text = f:read("*a")
    f:close()
    return text
end

function init(args)
    local kind, body, key = args[1], whole(args[2]), args[5]
    math.randomseed(tonumber(args[4]))
    head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n"
        .. "User-Agent: shop/1.0\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
        .. "Authorization: Basic MTAwMDAxNjc6dG9rZW4=\r\nTransaction-Response: brand-return-opened\r\n"
        .. (key and "x-api-key: " .. key .. "\r\n" or "") .. "Content-Length: "
    if kind == "batch" then
        fixed = head .. #body .. "\r\n\r\n" .. body
        return
    end
    tokens = {}
    for line in io.lines(args[3]) do tokens[#tokens + 1] = line:match("^%S+") end
    local before, after = body:match("^(.-)@REFERENCE@(.*)$")
    pieces = { before }
    for piece in (after .. "@TOKEN@"):gmatch("(.-)@TOKEN@") do pieces[#pieces + 1] = piece end
    assert(#pieces == 5)
end

function request()
    if fixed then return fixed end
    local i = math.random(#tokens)
    local token = tokens[i]
    local body = pieces[1] .. string.format("ped-%07d", i - 1) .. pieces[2] .. token .. pieces[3] .. token .. pieces[4] .. token .. pieces[5]
    return head .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format('\nRESULT {"requests":%d,"us":%d,"refused":%d,"broken":%d,"p50":%.1f,"p99":%.1f}\n', summary.requests,
        summary.duration, e.status, e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end
