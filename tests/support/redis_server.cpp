// SPDX-License-Identifier: Apache-2.0
#include "server_process.hpp"
#include "servers.hpp"

#include <cstdlib>
#include <fstream>
#include <hiredis/hiredis.h>
#include <stdexcept>
#include <unistd.h>

namespace weir::test {

namespace {

using Context = std::unique_ptr<redisContext, decltype(&redisFree)>;
using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

Reply ask(redisContext *context, const std::vector<std::string> &words) {
    std::vector<const char *> texts;
    std::vector<std::size_t> sizes;
    for (const std::string &word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    void *const reply = redisCommandArgv(context, static_cast<int>(words.size()), texts.data(), sizes.data());
    return {static_cast<redisReply *>(reply), &freeReplyObject};
}

Context connect(const std::filesystem::path &socket) {
    const timeval limit{30, 0};
    Context context(redisConnectUnixWithTimeout(socket.c_str(), limit), &redisFree);
    if (context && !context->err) {
        redisSetTimeout(context.get(), limit);
    }
    return context;
}

void append_text(const redisReply &reply, std::string &text) {
    if (reply.type == REDIS_REPLY_ARRAY) {
        for (std::size_t i = 0; i < reply.elements; ++i) {
            std::string element;
            append_text(*reply.element[i], element);
            text += (i > 0 ? "\n" : "") + element;
        }
    } else if (reply.type == REDIS_REPLY_INTEGER) {
        text += std::to_string(reply.integer);
    } else if (reply.str) {
        text.append(reply.str, static_cast<std::size_t>(reply.len));
    }
}

bool answers(const std::filesystem::path &socket) {
    const Context context = connect(socket);
    if (!context || context->err) {
        return false;
    }
    const Reply reply = ask(context.get(), {"PING"});
    return reply && (reply->type != REDIS_REPLY_ERROR || std::string(reply->str).rfind("LOADING", 0) != 0);
}

} // namespace

RedisServer::RedisServer(const RedisOptions &options) : password_(options.requirepass) {
    const char *given = std::getenv("WEIR_TEST_REDIS_SERVER");
    const std::string program = given && *given ? given : find_executable("redis-server", {"/usr/bin"}, "redis-server").string();
    process_ = std::make_unique<ServerProcess>("redis", Account{::geteuid(), ::getegid()});
    port_ = free_port();
    const std::filesystem::path directory = process_->directory();
    std::ofstream configuration(directory / "redis.conf");
    configuration << "port " << port_ << "\nbind 127.0.0.1\nunixsocket " << socket().string() << "\nunixsocketperm 777\ndir "
                  << directory.string() << "\ndaemonize no\nsave \"\"\nmaxmemory-policy noeviction\nrepl-diskless-sync-delay 0\nappendonly "
                  << (options.appendonly ? "yes" : "no") << "\nappendfsync " << options.appendfsync << "\nmaxmemory "
                  << options.maxmemory_bytes << "\n";
    if (!options.requirepass.empty()) {
        configuration << "requirepass " << options.requirepass << "\n";
    }
    if (!options.acl.empty()) {
        std::ofstream(directory / "users.acl") << options.acl << "\n";
        configuration << "aclfile " << (directory / "users.acl").string() << "\n";
    }
    if (options.replica_of_port != 0) {
        configuration << "replicaof 127.0.0.1 " << options.replica_of_port << "\n";
    }
    for (const auto &[name, value] : options.settings) {
        configuration << name << " " << value << "\n";
    }
    if (!configuration.flush()) {
        throw std::runtime_error("cannot write " + (directory / "redis.conf").string());
    }
    arguments_ = {program, (directory / "redis.conf").string()};
    start();
}

RedisServer::~RedisServer() = default;

std::filesystem::path RedisServer::socket() const { return process_->directory() / "redis.sock"; }

std::string RedisServer::url(int database) const { return url("", password_, database); }

std::string RedisServer::url(const std::string &user, const std::string &password, int database) const {
    const std::string who = user.empty() && password.empty() ? "" : user + ":" + password + "@";
    return "redis://" + who + "127.0.0.1:" + std::to_string(port_) + "/" + std::to_string(database);
}

std::string RedisServer::unix_url(int database) const {
    return "redis+unix://" + (password_.empty() ? "" : ":" + password_ + "@") + socket().string() + "?db=" + std::to_string(database);
}

void RedisServer::stop() {
    process_->signal(SIGCONT);
    process_->signal(SIGTERM);
    if (!process_->wait(std::chrono::seconds(60))) {
        throw std::runtime_error("redis does not end: " + process_->log());
    }
}

void RedisServer::kill() {
    process_->signal_all(SIGKILL);
    process_->wait(std::chrono::seconds(60));
}

void RedisServer::start() {
    process_->start(arguments_, [this] { return answers(socket()); });
}

void RedisServer::pause() { process_->signal(SIGSTOP); }
void RedisServer::resume() { process_->signal(SIGCONT); }
bool RedisServer::running() { return process_->running(); }

std::string RedisServer::command(const std::vector<std::string> &words) const {
    const Context context = connect(socket());
    if (!context || context->err) {
        throw std::runtime_error("redis cannot be reached: " + std::string(context ? context->errstr : "no memory"));
    }
    Reply reply(nullptr, &freeReplyObject);
    if (!password_.empty()) {
        reply = ask(context.get(), {"AUTH", password_});
    }
    reply = ask(context.get(), words);
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        throw std::runtime_error("redis, asked for " + words.at(0) + ": " + (reply ? reply->str : context->errstr));
    }
    std::string text;
    append_text(*reply, text);
    return text;
}

std::string RedisServer::log() const { return process_->log(); }

} // namespace weir::test
