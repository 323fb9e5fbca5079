// SPDX-License-Identifier: Apache-2.0
// A host with the votes plugin, in a directory of its own, on the same port in every start.
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const DEADLINE_MS = 60000;

/// Waits until it holds; fails with what was waited for.
export async function eventually(condition, what) {
    const end = Date.now() + DEADLINE_MS;
    let last = "";
    while (Date.now() < end) {
        try {
            if (await condition()) {
                return;
            }
        } catch (error) {
            last = `: ${error}`;
        }
        await pause(10);
    }
    throw new Error(`waited in vain for ${what}${last}`);
}

export class Host {
    constructor() {
        this.build = process.env.WEIR_TEST_BUILD_DIR;
        this.directory = fs.mkdtempSync(path.join(os.tmpdir(), "weir-browser-"));
        fs.mkdirSync(path.join(this.directory, "plugins"), { mode: 0o755 });
        fs.copyFileSync(path.join(this.build, "plugins", "votes.so"), path.join(this.directory, "plugins", "votes.so"));
        fs.writeFileSync(path.join(this.directory, "weir.json"), JSON.stringify({ data_directory: "data", plugins: { directory: "plugins" }, log: { format: "json" } }));
        this.port = 0;
        this.starts = 0;
        process.on("exit", () => this.child?.kill("SIGKILL"));
    }

    get origin() {
        return `http://127.0.0.1:${this.port}`;
    }

    get log() {
        return fs.readFileSync(path.join(this.directory, `log-${this.starts}`), "utf8");
    }

    async start() {
        ++this.starts;
        const log = fs.openSync(path.join(this.directory, `log-${this.starts}`), "w");
        const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("WEIR_")));
        environment.WEIR_HTTP_LISTEN = `127.0.0.1:${this.port}`;
        this.child = spawn(path.join(this.build, "bin", "weir"), ["run", "-c", path.join(this.directory, "weir.json")], { stdio: ["ignore", "ignore", log], env: environment });
        this.ended = new Promise((resolve) => this.child.once("exit", (code, signal) => resolve(signal ?? code)));
        fs.closeSync(log);
        await eventually(() => {
            if (this.child.exitCode !== null) {
                throw new Error(this.log);
            }
            const line = this.log.split("\n").find((text) => text.includes('"event":"http.listening"'));
            this.port = line ? Number(JSON.parse(line).address.split(":").pop()) : this.port;
            return line !== undefined;
        }, "the host to listen");
        await this.ready();
    }

    /// Until the page and its results are served.
    ready() {
        return eventually(async () => (await fetch(this.origin + "/")).ok && (await fetch(this.origin + "/api/results")).ok, "the page to be served");
    }

    async vote(option) {
        const answer = await fetch(this.origin + "/api/vote", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ vote: option }) });
        if (answer.status !== 202) {
            throw new Error(`a vote was answered with ${answer.status}`);
        }
    }

    async kill() {
        this.child.kill("SIGKILL");
        await this.ended;
    }

    async stop() {
        this.child.kill("SIGTERM");
        const status = await this.ended;
        if (status !== 0) {
            throw new Error(`the host ended with ${status}: ${this.log}`);
        }
        fs.rmSync(this.directory, { recursive: true });
    }
}
