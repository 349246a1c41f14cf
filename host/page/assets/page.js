// What the page does by itself: it stays up to date, asks before it ends something,
// and follows the output of a run. All of it also works without, by reloading.
"use strict";
(() => {
  const body = document.body;
  const $ = (id) => document.getElementById(id);
  document.documentElement.classList.add("js");

  // Times that go on, by the gateway's clock.
  let skew = 0;
  const roughly = (s) => s < 60 ? `${Math.floor(s)}s` : s < 3600 ? `${Math.floor(s / 60)}m` : s < 86400 ? `${Math.floor(s / 3600)}h` : `${Math.floor(s / 86400)}d`;
  const ago = (s) => s < -.5 ? `in ${roughly(-s)}` : s < 2 ? "just now" : `${roughly(s)} ago`;
  const pad = (n) => String(Math.floor(n)).padStart(2, "0");
  const elapsed = (s) => s < 60 ? `${Math.floor(Math.max(0, s))}s` : s < 3600 ? `${Math.floor(s / 60)}m ${pad(s % 60)}s` : `${Math.floor(s / 3600)}h ${pad(s % 3600 / 60)}m`;
  const say = (e, text) => { if (e.textContent !== text) e.textContent = text; };
  function clocks(root) {
    const now = Date.now() + skew;
    for (const e of root.querySelectorAll("time[datetime]")) {
      const at = new Date(e.dateTime);
      say(e, ago((now - at) / 1000));
      e.title = at.toLocaleString();
    }
    for (const e of root.querySelectorAll("[data-since]")) say(e, elapsed((now - new Date(e.dataset.since)) / 1000));
  }
  clocks(document);
  setInterval(() => { if (!document.hidden) clocks(document); }, 1000);

  // What is said for a moment.
  const toast = $("toast");
  let toastEnd;
  function tell(text, bad, link) {
    toast.replaceChildren(text);
    if (link) {
      const a = document.createElement("a");
      a.href = link;
      a.textContent = "Look at it";
      toast.append(a);
    }
    toast.classList.toggle("bad", Boolean(bad));
    toast.classList.add("up");
    clearTimeout(toastEnd);
    toastEnd = setTimeout(() => toast.classList.remove("up"), link || bad ? 8000 : 4000);
  }
  toast.addEventListener("focusin", () => clearTimeout(toastEnd));

  // Puts the differences between what is shown and what should be in place, so
  // that focus, selection, open details and scroll positions stay.
  const keyOf = (n) => n.nodeType === 1 ? n.dataset.key || n.id || "" : "";
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
  function morph(from, to) {
    if (from.nodeType !== 1) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    if (from.hasAttribute("data-keep") && to.hasAttribute("data-keep")) return;
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !(name === "open" && from.nodeName === "DETAILS") && name !== "aria-busy") from.removeAttribute(name);
    }
    for (const { name, value } of [...to.attributes]) {
      if (from.getAttribute(name) !== value && !(name === "open" && from.nodeName === "DETAILS")) from.setAttribute(name, value);
    }
    if (from.nodeName === "INPUT" || from.nodeName === "TEXTAREA" || from.nodeName === "SELECT") return;
    const keyed = new Map();
    for (const n of from.childNodes) if (keyOf(n)) keyed.set(keyOf(n), n);
    let at = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      let found = null;
      const key = keyOf(wanted);
      if (key) {
        const n = keyed.get(key);
        if (n && alike(n, wanted)) found = n;
      } else {
        while (at && keyOf(at) && !to.querySelector(`:scope > [data-key="${CSS.escape(keyOf(at))}"], :scope > #${CSS.escape(keyOf(at))}`)) at = drop(at);
        if (at && alike(at, wanted)) found = at;
      }
      if (found) {
        if (found !== at) from.insertBefore(found, at); else at = at.nextSibling;
        morph(found, wanted);
      } else {
        const added = document.importNode(wanted, true);
        if (added.nodeType === 1 && from.classList.contains("stream")) added.classList.add("new");
        from.insertBefore(added, at);
      }
    }
    while (at) at = drop(at);
  }
  function drop(n) {
    const next = n.nextSibling;
    n.remove();
    return next;
  }

  // Fetches this page once more. What comes while it is fetched is one more time.
  let fetching = false, again = false, last = 0, timer = 0;
  const pause = Math.max(400, Number(body.dataset.every) || 0);
  function refresh() {
    if (fetching) { again = true; return; }
    clearTimeout(timer);
    const wait = last + pause - Date.now();
    if (wait > 0) { timer = setTimeout(refresh, wait); return; }
    fetching = true;
    load().finally(() => {
      fetching = false;
      last = Date.now();
      if (again) { again = false; refresh(); }
    });
  }
  async function load() {
    const answer = await fetch(location.href, { headers: { "X-Al-Live": "1" }, credentials: "same-origin" }).catch(() => null);
    if (!answer) return; // the stream says what is wrong
    if (answer.status === 401) { location.reload(); return; }
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) { location.replace(answer.url); return; }
    if (!answer.ok) return;
    const text = await answer.text().catch(() => "");
    if (!text) return;
    const next = new DOMParser().parseFromString(text, "text/html");
    const newest = deliveries()[0]?.pathname || "";
    for (const part of [".top nav", "main", "footer"]) {
      const mine = document.querySelector(part), theirs = next.querySelector(part);
      if (mine && theirs) morph(mine, theirs);
    }
    document.title = next.title;
    body.dataset.run = next.body.dataset.run;
    clocks(document);
    announce(newest);
  }

  // New deliveries are told to those who do not see them, and not one by one. The
  // later one is, the later its address.
  const deliveries = () => [...document.querySelectorAll(`main .stream a.row[href^="/deliveries/"]`)];
  let news = 0, newsAt = 0;
  function announce(newest) {
    const all = deliveries();
    news += all.filter((a) => a.pathname > newest).length;
    if (!news || Date.now() - newsAt < 10000) return;
    say($("news"), news === 1 ? `New delivery: ${all[0].querySelector(".what").textContent}` : `${news} new deliveries`);
    news = 0;
    newsAt = Date.now();
  }

  // The stream. A page that nobody sees holds no connection.
  const link = $("link");
  let source = null, retry = 0;
  function state(name, text) {
    if (!link) return;
    link.hidden = false;
    link.className = `link ${name}`;
    say($("linktext"), text);
  }
  function connect() {
    if (source || !body.dataset.live && !body.dataset.run) return;
    const query = body.dataset.run ? `?run=${encodeURIComponent(body.dataset.run)}&from=${output ? output.dataset.next : 0}` : "";
    source = new EventSource(`/events${query}`);
    source.addEventListener("hello", (e) => {
      const off = JSON.parse(e.data).now - Date.now();
      skew = Math.abs(off) > 2000 ? off : 0; // less is how long it took to get here
      state("on", "Live");
      refresh();
    });
    source.addEventListener("changed", (e) => {
      const topics = JSON.parse(e.data);
      if (topics.some((t) => body.dataset.live.split(" ").includes(t))) refresh();
    });
    source.addEventListener("output", (e) => append(JSON.parse(e.data)));
    source.addEventListener("ended-run", () => { body.dataset.run = ""; refresh(); });
    source.addEventListener("ended", () => location.reload());
    source.addEventListener("closing", () => state("off", "The gateway is stopping"));
    source.onerror = () => {
      state("off", "Not connected, trying again");
      if (source.readyState !== EventSource.CLOSED) return;
      disconnect();
      clearTimeout(retry);
      retry = setTimeout(() => { connect(); refresh(); }, 5000);
    };
  }
  function disconnect() {
    if (source) source.close();
    source = null;
  }
  document.addEventListener("visibilitychange", () => {
    clearTimeout(retry);
    if (document.hidden) disconnect(); else connect();
  });
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (e) => { if (e.persisted) { connect(); refresh(); } });

  // The output of a run, followed at its end until somebody scrolls up.
  const output = $("output"), followBox = $("followbox");
  const most = 1 << 20;
  function append(piece) {
    if (!output || piece.next <= Number(output.dataset.next)) return;
    output.dataset.next = piece.next;
    $("silent")?.remove();
    output.append(piece.text);
    let size = output.textContent.length;
    while (size > most && output.childNodes.length > 1) {
      size -= output.firstChild.length;
      output.firstChild.remove();
    }
    if (followBox.checked) output.scrollTop = output.scrollHeight;
  }
  if (output) {
    output.scrollTop = output.scrollHeight;
    if (body.dataset.run) $("follow").hidden = false;
    output.addEventListener("scroll", () => {
      const end = output.scrollHeight - output.scrollTop - output.clientHeight < 24;
      if (!end && document.activeElement === output || end) followBox.checked = end;
    });
    output.addEventListener("wheel", (e) => { if (e.deltaY < 0) followBox.checked = false; }, { passive: true });
    followBox.addEventListener("change", () => { if (followBox.checked) output.scrollTop = output.scrollHeight; });
  }

  // Forms that do something.
  const confirmBox = $("confirm");
  function sure(form) {
    if (!form.dataset.confirm) return Promise.resolve(true);
    $("confirm-text").textContent = form.dataset.confirm;
    $("confirm-yes").textContent = form.dataset.yes || "Yes";
    confirmBox.returnValue = "no";
    confirmBox.showModal();
    return new Promise((done) => confirmBox.addEventListener("close", () => done(confirmBox.returnValue === "yes"), { once: true }));
  }
  document.addEventListener("submit", async (e) => {
    const form = e.target;
    if (!form.hasAttribute("data-act")) return;
    e.preventDefault();
    const button = e.submitter || form.querySelector("button");
    if (button.getAttribute("aria-busy") === "true" || !await sure(form)) return;
    button.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (answer.status === 401) { location.reload(); return; }
      const said = await answer.json();
      if (said.ok && said.go) { location.assign(said.link); return; }
      if (said.ok) form.reset();
      tell(said.message, !said.ok, said.link && said.link !== location.pathname && said.link.startsWith("/deliveries/") ? said.link : "");
      last = 0;
      refresh();
    } catch {
      tell("The gateway does not answer.", true);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
  document.addEventListener("change", (e) => { if (e.target.hasAttribute("data-submit")) e.target.form.requestSubmit(); });

  // A link from elsewhere came without the cookie; asking from here, it comes along.
  const login = $("login");
  if (login) fetch("/session", { credentials: "same-origin" }).then((a) => a.json()).then((a) => { if (a.ok) location.replace(login.dataset.next); }).catch(() => { /* then a person logs in */ });

  if (!document.hidden) connect();
})();
