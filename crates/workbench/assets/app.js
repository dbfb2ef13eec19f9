// What makes every page live: forms that survive a lost connection, progress, changes by others.

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// A form with data-once carries a key: it may be sent again, and is recorded once.
async function send(form) {
  const says = form.querySelector(".sending");
  const say = (text) => { if (says) says.textContent = text; };
  const body = new URLSearchParams(new FormData(form));
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  for (let pause = 500; ; pause = Math.min(2 * pause, 8000)) {
    try {
      say("Sending");
      const answer = await fetch(form.action, { method: "POST", body, redirect: "follow" });
      const page = await answer.text();
      if (answer.redirected) {
        location.assign(answer.url);
        return;
      }
      const fresh = new DOMParser().parseFromString(page, "text/html");
      document.querySelector("main").replaceWith(document.adoptNode(fresh.querySelector("main")));
      begin();
      const alert = document.querySelector("main [role=alert]");
      if (alert) {
        alert.tabIndex = -1;
        alert.focus();
      }
      return;
    } catch {
      say("No connection: what you typed is kept and sent again. It is recorded once.");
      await wait(pause);
    }
  }
}

function follow(element) {
  const bar = element.querySelector("progress");
  const said = element.querySelector(".said");
  const source = new EventSource(`/api/jobs/${element.dataset.job}/progress`);
  source.onmessage = (event) => {
    const p = JSON.parse(event.data);
    bar.value = p.done;
    if (said.textContent !== p.said) said.textContent = p.said;
    if (p.state === "done" || p.state === "failed") {
      source.close();
      if (p.state === "done") location.assign(element.dataset.then);
      else location.reload();
    }
  };
}

function begin() {
  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });
  }
  document.querySelectorAll("[data-job]").forEach(follow);
}

// A menu closes when something else is looked at.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Somebody else has recorded something: said, never done over what is being read.
const course = document.querySelector(".course[data-head]");
if (course) {
  new EventSource("/api/changes").onmessage = (event) => {
    const change = JSON.parse(event.data);
    if (change.patient === course.dataset.patient && change.head !== course.dataset.head) {
      document.getElementById("changed").hidden = false;
    }
  };
}

begin();
