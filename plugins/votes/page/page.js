// The voting page: one button an option, results as they come.
"use strict";

const options = document.getElementById("options");
const said = document.getElementById("said");
const results = document.getElementById("results");
const total = document.getElementById("total");
const connection = document.getElementById("connection");
const rows = new Map(); // by option: what is shown of it
const tries = 4;

function newKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function wait(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Under one key, so that a vote whose answer was lost counts once.
async function cast(option) {
    const key = newKey();
    for (let attempt = 1; ; ++attempt) {
        let problem = "The vote could not be sent.";
        try {
            const answer = await fetch("api/vote", {
                method: "POST",
                headers: { "Content-Type": "application/json", "Idempotency-Key": key },
                body: JSON.stringify({ vote: option }),
            });
            if (answer.ok) {
                return;
            }
            problem = (await answer.json()).detail || problem;
            if (answer.status < 500) {
                throw new Error(problem, { cause: "final" });
            }
        } catch (error) {
            if (error.cause === "final") {
                throw error;
            }
        }
        if (attempt === tries) {
            throw new Error(problem + " Try again.");
        }
        await wait(250 * 2 ** attempt);
    }
}

async function vote(button, option) {
    if (button.getAttribute("aria-disabled") === "true") {
        return;
    }
    button.setAttribute("aria-disabled", "true"); // keeps the focus, which "disabled" would lose
    said.textContent = "";
    try {
        await cast(option);
        said.textContent = "Thank you for your vote for " + option + ".";
    } catch (error) {
        said.textContent = error.message;
    } finally {
        button.setAttribute("aria-disabled", "false");
    }
}

function newButton(option) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = option;
    options.append(button);
    return button;
}

function addOption(button) {
    const option = button.textContent;
    button.addEventListener("click", () => vote(button, option));

    const term = document.createElement("dt");
    const name = document.createElement("span");
    name.textContent = option;
    const count = document.createElement("span");
    term.append(name, count);
    const bar = document.createElement("progress");
    bar.max = 100;
    bar.value = 0;
    bar.setAttribute("aria-label", "Share of " + option);
    const detail = document.createElement("dd");
    detail.append(bar);
    results.append(term, detail);
    rows.set(option, { count, bar });
}

function show(state) {
    for (const option of state.options) {
        if (!rows.has(option)) {
            addOption(newButton(option)); // the settings have changed since the page was made
        }
        const row = rows.get(option);
        row.count.textContent = state.counts[option] + " (" + state.percentages[option].toFixed(1) + " %)";
        row.bar.value = state.percentages[option];
    }
    total.textContent = state.total;
}

async function load() {
    const answer = await fetch("api/results");
    if (!answer.ok) {
        throw new Error("no results");
    }
    show(await answer.json());
}

function listen() {
    const stream = new EventSource("api/results/events");
    stream.addEventListener("message", (event) => show(JSON.parse(event.data)));
    stream.addEventListener("open", () => { connection.textContent = "Shown as they come."; });
    stream.addEventListener("error", () => {
        connection.textContent = "The connection is lost; trying again.";
        if (stream.readyState === EventSource.CLOSED) {
            setTimeout(listen, 3000);
        }
    });
}

for (const button of options.querySelectorAll("button")) {
    addOption(button);
}
load().catch(() => { said.textContent = "The results can't be loaded now."; });
listen();
