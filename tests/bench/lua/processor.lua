-- SPDX-License-Identifier: Apache-2.0
-- The processor that all systems talk to: it looks at every body it gets, so that a system that is fast because it did not do
-- its work shows up as errors. A payment's reference says which card its number, month and year must be.
local M = {}

local APPROVED = '{"reference":"ped-0000000","tid":"10012605291452330001","nsu":"475018225","authorizationCode":"186376",'
    .. '"returnCode":"00","returnMessage":"Success.","brand":{"name":"Visa","returnCode":"00"},"amount":2099}\n'

local batch, cards = {}, {}

local function whole(file)
    local f = assert(io.open(file, "rb"))
    local text = f:read("*a")
    f:close()
    return text
end

function M.load(folder, names, inbound)
    for _, name in ipairs(names) do
        batch["/" .. name] = { untouched = whole(folder .. "/sent-" .. name), rewritten = whole(folder .. "/wanted-" .. name) }
    end
    for name, count in pairs(inbound) do
        batch["/" .. name] = { untouched = whole(folder .. "/sent-" .. name) }
        cards["/" .. name] = count
    end
end

local function luhn_digit(digits)
    local sum = 0
    for i = 1, #digits do
        local d = digits:byte(i) - 48
        if (#digits - i) % 2 == 0 then
            d = d * 2
            if d > 9 then d = d - 9 end
        end
        sum = sum + d
    end
    return (10 - sum % 10) % 10
end

-- The same cards as traffic.py makes.
local function is_card(i, number, month, year)
    local digits = string.format("411111%09d", i)
    return number == digits .. luhn_digit(digits) and month == string.format("%02d", 1 + i % 12) and year == tostring(2030 + i % 5)
end

local function is_payment(body, kind)
    local reference = body:match('"reference":"ped%-(%d+)"')
    if not reference then return false end
    local number, month, year = body:match('"cardNumber":"([^"]+)","expirationMonth":"([^"]+)","expirationYear":"([^"]+)"')
    if kind == "rewritten" then return is_card(tonumber(reference), number, month, year) end
    return number and number == month and number == year and number:find("{{ ", 1, true) == 1
end

-- What a shop behind an inbound route gets: a token for each card, and no card.
local function is_tokenised(body, count)
    if body:find("411111", 1, true) then return false end
    local _, found = body:gsub('"number": "%x+%-%x+%-4%x+%-%x+%-%x+"', "")
    return found == count
end

function M.answer(kind)
    ngx.req.read_body()
    local body = ngx.req.get_body_data()
    local right
    local wanted = batch[ngx.var.uri]
    if kind == "rewritten" and cards[ngx.var.uri] then
        right = body and is_tokenised(body, cards[ngx.var.uri])
    elseif wanted then
        right = body == wanted[kind]
    else
        right = body and is_payment(body, kind)
    end
    if not right then
        ngx.log(ngx.ERR, "not what a processor should get: ", body and #body or "no", " bytes, ", kind)
        ngx.status = 422
    end
    ngx.header["Content-Type"] = "application/json"
    ngx.header["Content-Length"] = #APPROVED
    ngx.print(APPROVED)
end

return M
