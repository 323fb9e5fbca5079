// SPDX-License-Identifier: Apache-2.0
#include "log/log.hpp"
#include "plugin/module.hpp"

#include <exception>

namespace weir::plugin {

namespace {

/// What a plugin said, cut to what a log line can bear.
std::string_view heard(const weir_view &view) {
    constexpr std::uint64_t max_bytes = 4096;
    if (view.data == nullptr) {
        return {};
    }
    return {view.data, static_cast<std::size_t>(view.size < max_bytes ? view.size : max_bytes)};
}

log::Level log_level(std::uint32_t level) {
    switch (level) {
    case WEIR_LOG_DEBUG:
        return log::Level::debug;
    case WEIR_LOG_INFO:
        return log::Level::info;
    case WEIR_LOG_WARN:
        return log::Level::warn;
    default:
        return log::Level::error;
    }
}

weir_view view_of(const std::string &text) { return {text.data(), text.size()}; }

} // namespace

struct Instance::State {
    std::shared_ptr<const Module> module;
    std::string domain;
    std::string error;
    void *handle = nullptr;
    bool created = false;
    bool started = false;
    weir_host_v1 table{};

    /// Calls into the plugin; whatever it throws ends here, as ABI rule 7 asks of both sides.
    template <typename Call> bool guarded(const char *what, Call call) noexcept {
        try {
            call();
            return true;
        } catch (const std::exception &exception) {
            error = std::string(what) + " threw an exception: " + exception.what();
        } catch (...) {
            error = std::string(what) + " threw an exception";
        }
        return false;
    }

    bool succeeded(const char *what, weir_status status, bool returned) {
        if (returned && status == WEIR_OK) {
            return true;
        }
        if (error.empty()) {
            error = std::string(what) + " returned status " + std::to_string(status) + " and gave no reason";
        }
        return false;
    }
};

Instance::Instance() : state_(std::make_unique<State>()) {}

std::unique_ptr<Instance> Instance::create(std::shared_ptr<const Module> module, const std::string &domain, const std::string &schema,
                                           const std::string &settings_json, std::string &reason) {
    std::unique_ptr<Instance> instance(new Instance());
    State &state = *instance->state_;
    state.module = std::move(module);
    state.domain = domain;
    state.table.size = sizeof(weir_host_v1);
    state.table.abi_minor = WEIR_ABI_MINOR;
    state.table.self = &state;
    static const std::string version = WEIR_VERSION;
    state.table.version = view_of(version);
    state.table.log = [](const weir_host_v1 *host, std::uint32_t level, weir_view message) {
        const auto *self = static_cast<const State *>(host->self);
        log::write(log_level(level), "plugin.said", heard(message),
                   {{"plugin", self->module->description().name}, {"domain", self->domain}});
    };
    state.table.error = [](const weir_host_v1 *host, weir_view message) { static_cast<State *>(host->self)->error = heard(message); };
    state.table.extension = [](const weir_host_v1 *, weir_view) -> const void * { return nullptr; };

    const weir_plugin_descriptor_v1 &descriptor = state.module->descriptor();
    weir_status status = WEIR_OK;
    if (descriptor.create != nullptr) {
        const weir_setup_v1 setup{sizeof(weir_setup_v1), state.module->generation(), view_of(domain), view_of(schema),
                                  view_of(settings_json)};
        const bool returned = state.guarded("create", [&] { status = descriptor.create(&state.table, &setup, &state.handle); });
        if (!state.succeeded("create", status, returned)) {
            reason = state.error;
            return nullptr;
        }
    }
    state.created = true;
    if (descriptor.start != nullptr) {
        const bool returned = state.guarded("start", [&] { status = descriptor.start(state.handle); });
        if (!state.succeeded("start", status, returned)) {
            reason = state.error;
            return nullptr;
        }
    }
    state.started = true;
    return instance;
}

Instance::~Instance() {
    State &state = *state_;
    if (!state.created) {
        return; // what `create` did not make, `destroy` must not free
    }
    const weir_plugin_descriptor_v1 &descriptor = state.module->descriptor();
    state.error.clear();
    if (state.started && descriptor.drain != nullptr) {
        state.guarded("drain", [&] { descriptor.drain(state.handle); });
    }
    if (descriptor.destroy != nullptr) {
        state.guarded("destroy", [&] { descriptor.destroy(state.handle); });
    }
    if (!state.error.empty()) {
        log::error("plugin.close_failed", state.error, {{"plugin", state.module->description().name}, {"domain", state.domain}});
    }
}

const Module &Instance::module() const { return *state_->module; }
std::shared_ptr<const Module> Instance::shared_module() const { return state_->module; }
void *Instance::handle() const { return state_->handle; }

} // namespace weir::plugin
