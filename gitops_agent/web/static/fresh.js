// Keeps an open page fresh: asks for the same page again and puts its new content in place of the old. Without it the page is whole,
// only not live. The server says with data-refresh how many milliseconds to wait; 0 means that nothing will change any more.
"use strict";

function place(times) {
  for (const time of times) {
    time.title = new Date(time.dateTime).toLocaleString();
  }
}

function busy(content) {
  // Nobody's typing, selecting or opened menu is taken away.
  const active = document.activeElement;
  const typing = active instanceof HTMLInputElement && content.contains(active);
  return typing || !getSelection().isCollapsed || content.querySelector("details.menu[open]") !== null;
}

async function look() {
  const content = document.getElementById("content");
  if (!document.hidden && !busy(content)) {
    try {
      const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
      if (answer.redirected) {
        location.reload(); // the session is over
        return;
      }
      if (answer.ok) {
        show(content, new DOMParser().parseFromString(await answer.text(), "text/html"));
      }
    } catch {
      // the agent is being restarted; the next look will tell
    }
  }
  later();
}

function show(content, next) {
  const fresh = next.getElementById("content");
  document.body.dataset.refresh = next.body.dataset.refresh;
  if (document.title !== next.title) {
    document.title = next.title;
    document.getElementById("said").textContent = next.title;
  }
  for (const details of content.querySelectorAll("details[id]")) {
    const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
    if (same !== null) {
      same.open = details.open;
    }
  }
  const focused = document.activeElement?.getAttribute("href");
  content.replaceChildren(...fresh.childNodes);
  if (focused && document.activeElement === document.body) {
    content.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
  place(content.querySelectorAll("time"));
}

function later() {
  const wait = Number(document.body.dataset.refresh);
  if (wait > 0) {
    setTimeout(look, wait);
  }
}

place(document.querySelectorAll("time"));
later();
