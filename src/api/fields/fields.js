// SPDX-License-Identifier: Apache-2.0
// The inside of the card frame. Card data goes from these inputs to the proxy that served them, and nowhere else: the page around
// hears of brand, completeness and the token only, and only if its origin is the session's.
"use strict";

(() => {
  const origin = document.body.dataset.origin;
  const wantsCvc = document.body.dataset.kind !== "token";
  const form = document.getElementById("card");
  const fields = {};
  for (const name of ["number", "expiry", "cvc", "holder"]) fields[name] = document.getElementById(name);
  const touched = new Set();
  let busy = false, done = false, lastTold = "", lastHeight = 0;

  const texts = {
    en: {
      number: "Card number", expiry: "Expiry (MM/YY)", cvc: "Security code", holder: "Name on card", submit: "Save card",
      needNumber: "Enter the card number.", badNumber: "Check the card number.", needExpiry: "Enter the expiry date as MM/YY.",
      badExpiry: "Check the expiry date.", past: "This card has expired.", needCvc: "Enter the security code.",
      badCvc: "The security code has {n} digits.", wait: "Saving…", done: "Card saved.",
      failed: "The card could not be saved. Please try again.", expired: "This form has expired. Please reload the page.",
    },
    es: {
      number: "Número de tarjeta", expiry: "Vencimiento (MM/AA)", cvc: "Código de seguridad", holder: "Nombre en la tarjeta",
      submit: "Guardar tarjeta", needNumber: "Escriba el número de la tarjeta.", badNumber: "Revise el número de la tarjeta.",
      needExpiry: "Escriba el vencimiento como MM/AA.", badExpiry: "Revise la fecha de vencimiento.", past: "La tarjeta está vencida.",
      needCvc: "Escriba el código de seguridad.", badCvc: "El código de seguridad tiene {n} dígitos.", wait: "Guardando…",
      done: "Tarjeta guardada.", failed: "No se pudo guardar la tarjeta. Inténtelo de nuevo.",
      expired: "Este formulario ha caducado. Recargue la página.",
    },
    pt: {
      number: "Número do cartão", expiry: "Validade (MM/AA)", cvc: "Código de segurança", holder: "Nome no cartão",
      submit: "Salvar cartão", needNumber: "Digite o número do cartão.", badNumber: "Confira o número do cartão.",
      needExpiry: "Digite a validade como MM/AA.", badExpiry: "Confira a validade.", past: "O cartão está vencido.",
      needCvc: "Digite o código de segurança.", badCvc: "O código de segurança tem {n} dígitos.", wait: "Salvando…",
      done: "Cartão salvo.", failed: "Não foi possível salvar o cartão. Tente novamente.",
      expired: "Este formulário expirou. Recarregue a página.",
    },
  };
  const asked = new URLSearchParams(location.search).get("lang") || navigator.language || "en";
  const language = texts[asked.slice(0, 2)] ? asked.slice(0, 2) : "en";
  const say = texts[language];

  // --- what a card number is: issuer ranges and lengths, as the proxy knows them (src/body/brand.c) ---
  const brands = [
    ["amex", /^3[47]/, [15], [4, 6, 5]],
    ["diners", /^3(0[0-59]|[689])/, [14, 15, 16, 17, 18, 19], [4, 6, 9]],
    ["jcb", /^35(2[89]|[3-8])/, [16, 17, 18, 19]],
    ["jcb", /^3(08[89]|10[0-2]|11[2-9]|120|15[89]|33[7-9]|34)/, [16, 17, 18, 19]],
    ["cabal", /^(589657|603522|60420[1-9]|6042[1-9]|6043|604400|650272)/, [16]],
    ["sodexo", /^(600818|603389|60606[89]|60607[01])/, [16]],
    ["discover", /^(6011|64[4-9]|65)/, [16, 17, 18, 19]],
    ["unionpay", /^(62|81[0-6]|817[01])/, [16, 17, 18, 19]],
    ["rupay", /^(508|60|817[2-9]|81[89]|82)/, [12, 13, 14, 15, 16, 17, 18, 19]], // 16; private labels lie in 60, too
    ["mir", /^220[0-4]/, [16, 17, 18, 19]],
    ["mastercard", /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
    ["verve", /^(506099|5061[0-8]|50619[0-8]|50786[5-9]|5078[7-9]|5079[0-5]|50796[0-4])/, [16, 18, 19]],
    ["dankort", /^5019/, [16]],
    ["naranja", /^589562/, [16]],
    ["maestro", /^(5018|5020|5038|5893|6304|6759|676[1-3])/, [12, 13, 14, 15, 16, 17, 18, 19]],
    ["troy", /^9792/, [16]],
    ["uatp", /^1\d{14}$/, [15], [4, 5, 6]], // other cards begin with 1, too
    ["visa", /^4/, [13, 16, 19]],
  ];
  const shown = { amex: "American Express", diners: "Diners Club", jcb: "JCB", discover: "Discover", unionpay: "UnionPay",
    mastercard: "Mastercard", maestro: "Maestro", visa: "Visa", mir: "Mir", rupay: "RuPay", verve: "Verve", troy: "Troy", dankort: "Dankort",
    naranja: "Naranja", cabal: "Cabal", sodexo: "Sodexo", uatp: "UATP" };
  const digitsOf = (text) => text.replace(/[^0-9]/g, "");
  const brandOf = (digits) => brands.find(([, range]) => range.test(digits));
  const cvcLength = (digits) => (brandOf(digits)?.[0] === "amex" ? 4 : 3);

  function luhn(digits) {
    let sum = 0;
    for (let i = 0; i < digits.length; i++) {
      let n = Number(digits[digits.length - 1 - i]);
      if (i % 2 === 1) n = n > 4 ? 2 * n - 9 : 2 * n;
      sum += n;
    }
    return digits.length > 0 && sum % 10 === 0;
  }

  // Naranja's own: weights from the right 2 to 7 and 2 to 7 again, eleven less the remainder by eleven.
  function naranja(digits) {
    let sum = 0;
    for (let i = 0; i < 15; i++) sum += Number(digits[14 - i]) * (i % 6 + 2);
    const check = 11 - sum % 11;
    return (check > 9 ? 0 : check) === Number(digits[15]);
  }
  const hasCheckDigit = (digits) => luhn(digits) || (/^589562\d{10}$/.test(digits) && naranja(digits));

  function readExpiry() {
    const digits = digitsOf(fields.expiry.value);
    if (digits.length !== 4 && digits.length !== 6) return null;
    const month = Number(digits.slice(0, 2)), year = digits.length === 4 ? 2000 + Number(digits.slice(2)) : Number(digits.slice(2));
    return month >= 1 && month <= 12 && year >= 2000 && year <= 2099 ? { month, year } : null;
  }

  // --- what is wrong with a field: "" when nothing is ---
  const faults = {
    number() {
      const digits = digitsOf(fields.number.value), brand = brandOf(digits);
      if (!digits) return say.needNumber;
      const lengths = brand ? brand[2] : [12, 13, 14, 15, 16, 17, 18, 19];
      return lengths.includes(digits.length) && hasCheckDigit(digits) ? "" : say.badNumber;
    },
    expiry() {
      if (!fields.expiry.value.trim()) return say.needExpiry;
      const expiry = readExpiry(), now = new Date();
      if (!expiry) return say.badExpiry;
      const months = (expiry.year - now.getFullYear()) * 12 + expiry.month - (now.getMonth() + 1);
      return months < 0 ? say.past : "";
    },
    cvc() {
      if (!wantsCvc) return "";
      const digits = digitsOf(fields.cvc.value), length = cvcLength(digitsOf(fields.number.value));
      if (!digits) return say.needCvc;
      return digits.length === length ? "" : say.badCvc.replace("{n}", length);
    },
    holder: () => "",
  };

  function show(name, fault) {
    document.getElementById(`${name}-error`).textContent = fault;
    fields[name].setAttribute("aria-invalid", fault ? "true" : "false");
  }

  // --- the page around ---
  function tell(message) {
    if (window.parent !== window) window.parent.postMessage({ source: "cardveil", ...message }, origin);
  }

  function tellState() {
    const valid = {};
    for (const name of Object.keys(faults)) valid[name] = !faults[name]();
    const brand = brandOf(digitsOf(fields.number.value))?.[0] || "unknown";
    const state = { brand, complete: Object.values(valid).every(Boolean), valid };
    if (JSON.stringify(state) === lastTold) return;
    lastTold = JSON.stringify(state);
    tell({ type: "change", ...state });
  }

  function tellHeight() {
    const height = document.documentElement.scrollHeight;
    if (height === lastHeight) return;
    lastHeight = height;
    tell({ type: "resize", height });
  }

  // --- writing while someone types: groups of digits, the caret stays behind the digit it was behind ---
  function rewrite(input, format) {
    const before = digitsOf(input.value.slice(0, input.selectionStart)).length;
    const text = format(digitsOf(input.value));
    if (text === input.value) return;
    input.value = text;
    let at = 0;
    for (let seen = 0; at < text.length && seen < before; at++) if (/[0-9]/.test(text[at])) seen++;
    if (document.activeElement === input) input.setSelectionRange(at, at);
  }

  function grouped(digits) {
    const sizes = brandOf(digits)?.[3] || [4, 4, 4, 4, 3], parts = [];
    let at = 0;
    for (const size of sizes) {
      if (at >= digits.length) break;
      parts.push(digits.slice(at, at + size));
      at += size;
    }
    return parts.join(" ");
  }

  function expiryText(digits) {
    if (digits.length === 1 && digits > "1") digits = `0${digits}`;
    return digits.length > 2 ? `${digits.slice(0, 2)}/${digits.slice(2, 6)}` : digits;
  }

  function onInput(event) {
    const input = event.target;
    if (input === fields.number) rewrite(input, (digits) => grouped(digits.slice(0, 19)));
    if (input === fields.expiry && !(event.inputType || "").startsWith("delete")) rewrite(input, expiryText);
    if (input === fields.cvc) rewrite(input, (digits) => digits.slice(0, 4));
    document.getElementById("brand").textContent = shown[brandOf(digitsOf(fields.number.value))?.[0]] || "";
    if (touched.has(input.id)) show(input.id, faults[input.id]());
    tellState();
  }

  // --- saving ---
  function firstFault() {
    let first = null;
    for (const name of Object.keys(faults)) {
      const fault = faults[name]();
      touched.add(name);
      show(name, fault);
      if (fault && !first) first = name;
    }
    return first;
  }

  function card() {
    const { month, year } = readExpiry(), holder = fields.holder.value.trim();
    const body = { number: digitsOf(fields.number.value), expiration_date: `${String(month).padStart(2, "0")}/${year}` };
    if (holder) body.holder = holder;
    if (wantsCvc) body.cvc = digitsOf(fields.cvc.value);
    return JSON.stringify(body);
  }

  function finish(status, text) {
    document.getElementById("status").textContent = text;
    document.getElementById("submit").disabled = status !== "failed";
    busy = false;
    tellHeight();
  }

  async function save() {
    if (busy || done) return;
    const fault = firstFault();
    if (fault) {
      fields[fault].focus();
      tell({ type: "error", code: "INCOMPLETE", field: fault });
      return;
    }
    busy = true;
    document.getElementById("submit").disabled = true;
    document.getElementById("status").textContent = say.wait;
    let answer = null, told = null;
    try {
      answer = await fetch(location.pathname, { method: "POST", headers: { "content-type": "application/json" }, body: card(),
        credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer" });
      told = await answer.json();
    } catch { /* told below: no answer, or none that can be read */ }
    if (answer?.ok && told?.data) {
      done = true;
      for (const input of Object.values(fields)) { input.value = ""; input.disabled = true; }
      tell({ type: "token", ...told.data });
      finish("done", say.done);
      return;
    }
    const code = told?.data?.code || "NO_ANSWER";
    tell({ type: "error", code });
    if (code === "CARD_NUMBER") show("number", say.badNumber);
    finish(code === "FIELD_SESSION" ? "over" : "failed", code === "FIELD_SESSION" ? say.expired : say.failed);
  }

  function onMessage(event) {
    if (event.origin !== origin || event.source !== window.parent || event.data?.target !== "cardveil") return;
    if (event.data.type === "submit") save();
    if (event.data.type === "focus") fields.number.focus();
    if (event.data.type === "hide-button") document.getElementById("submit").hidden = true;
    tellHeight();
  }

  // --- the beginning ---
  document.documentElement.lang = language;
  for (const name of Object.keys(fields)) document.querySelector(`label[for="${name}"]`).textContent = say[name];
  document.getElementById("submit").textContent = say.submit;
  document.getElementById("cvc-field").hidden = !wantsCvc;
  form.addEventListener("input", onInput);
  form.addEventListener("focusout", (event) => {
    if (!faults[event.target.id] || !event.target.value) return;
    touched.add(event.target.id);
    show(event.target.id, faults[event.target.id]());
    tellHeight();
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
  window.addEventListener("message", onMessage);
  new ResizeObserver(tellHeight).observe(document.documentElement);
  tell({ type: "ready" });
  tellState();
})();
