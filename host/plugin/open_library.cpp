// SPDX-License-Identifier: Apache-2.0
#define BOOST_DLL_USE_STD_FS
#include "plugin/loaded_module.hpp"

#include <boost/dll/shared_library.hpp>

#include <algorithm>
#include <memory>
#include <mutex>

namespace weir::plugin {

namespace {

/// Turns what the dynamic loader says into what the operator can do.
PluginRefusal explain(const std::filesystem::path &origin, std::string text) {
    const std::string marker = "dlerror system message: ";
    if (const std::size_t at = text.find(marker); at != std::string::npos) {
        text = text.substr(at + marker.size());
        text = text.substr(0, text.rfind(')')); // behind it stands an errno that has nothing to do with it
    }
    const auto has = [&](const char *part) { return text.find(part) != std::string::npos; };
    if (has("cannot open shared object file")) {
        const std::string library = text.substr(0, text.find(':'));
        return {origin, "missing_library", "it needs the library " + library + ", which is not on this machine",
                "install the package that has " + library + ", then run ldconfig"};
    }
    if (has("undefined symbol")) {
        return {origin, "undefined_symbol", "it uses something that nothing provides: " + text,
                "link the plugin with -Wl,-z,defs, which names what is missing"};
    }
    if (has("version `")) {
        return {origin, "library_too_old", "a library on this machine is older than the one it was built with: " + text,
                "build the plugin on this machine's release of the system"};
    }
    if (has("failed to map segment") || has("cannot enable executable")) {
        return {origin, "load_failed", "it cannot be mapped for execution: " + text,
                "put state_directory on a file system that is not mounted noexec"};
    }
    return {origin, "load_failed", "the system cannot load it: " + text, "build the plugin again on this machine's release of the system"};
}

constexpr std::uint32_t kGuardedSince = 2; // WEIR_HTTP_GUARDED, in minors of ABI 1

/// Asks for the extension "weir.http/1", which belongs to the plugin and not to an instance.
std::optional<std::string> read_routes(const weir_plugin_descriptor_v1 &descriptor, Description &out) {
    if (descriptor.abi_minor < 1 || descriptor.extension == nullptr) {
        return std::nullopt;
    }
    const void *table = nullptr;
    try {
        table = descriptor.extension(nullptr, {WEIR_HTTP_EXTENSION, sizeof(WEIR_HTTP_EXTENSION) - 1});
    } catch (...) {
        return "extension throws an exception";
    }
    if (table == nullptr) {
        return std::nullopt;
    }
    if (reinterpret_cast<std::uintptr_t>(table) % alignof(weir_http_v1) != 0) {
        return "extension returns something that is not a weir_http_v1";
    }
    if (auto wrong = describe_routes(*static_cast<const weir_http_v1 *>(table), out.routes)) {
        return wrong;
    }
    const auto is_guarded = [](const Route &route) { return route.guarded; };
    if (const auto route = std::find_if(out.routes.begin(), out.routes.end(), is_guarded);
        route != out.routes.end() && descriptor.abi_minor < kGuardedSince) {
        return "the route " + route_name(*route) + " is guarded and abi_minor is " + std::to_string(descriptor.abi_minor) +
               "; set it to 2, so that no host takes the plugin that wouldn't guard it";
    }
    const auto is_taken = [](const store::Table &declared) { return declared.name == "http_requests"; };
    if (!out.routes.empty() && std::any_of(out.schema.tables.begin(), out.schema.tables.end(), is_taken)) {
        return "the table http_requests is the host's in a plugin with routes; choose another name";
    }
    return std::nullopt;
}

/// Libraries stay open for ever: a handler may have left threads, thread-local destructors or unique symbols behind.
boost::dll::shared_library &keep_open(boost::dll::shared_library library) {
    static std::mutex mutex;
    static auto *const all =
        new std::vector<std::unique_ptr<boost::dll::shared_library>>(); // never destroyed, as the code of none is unmapped
    const std::lock_guard guard(mutex);
    all->push_back(std::make_unique<boost::dll::shared_library>(std::move(library)));
    return *all->back();
}

} // namespace

std::optional<PluginRefusal> open_library(const std::filesystem::path &copy, const std::filesystem::path &origin, OpenedLibrary &out) {
    boost::dll::shared_library *library = nullptr;
    try {
        boost::dll::shared_library opened;
        opened.load(copy, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
        library = &keep_open(std::move(opened));
    } catch (const std::exception &error) {
        return explain(origin, error.what());
    }
    const auto author = "tell the plugin's author";
    weir_plugin_entry_v1 entry = nullptr;
    try {
        entry = &library->get<const weir_plugin_descriptor_v1 *(void)>(WEIR_PLUGIN_ENTRY_SYMBOL);
        out.descriptor = entry();
        if (out.descriptor != nullptr && entry() != out.descriptor) {
            return PluginRefusal{origin, "bad_descriptor", "its entry returns another descriptor at each call", author};
        }
    } catch (...) {
        return PluginRefusal{origin, "entry_failed", "its entry " WEIR_PLUGIN_ENTRY_SYMBOL " throws an exception", author};
    }
    if (out.descriptor == nullptr) {
        return PluginRefusal{origin, "entry_failed", "its entry " WEIR_PLUGIN_ENTRY_SYMBOL " returns no descriptor", author};
    }
    if (reinterpret_cast<std::uintptr_t>(out.descriptor) % alignof(weir_plugin_descriptor_v1) != 0) {
        return PluginRefusal{origin, "bad_descriptor", "its entry returns something that is not a descriptor", author};
    }
    if (const auto wrong = describe(*out.descriptor, out.description)) {
        if (out.descriptor->size >= offsetof(weir_plugin_descriptor_v1, name) && out.descriptor->abi_minor > WEIR_ABI_MINOR) {
            return PluginRefusal{origin, "newer_abi", *wrong, "update Weir, or build the plugin against the SDK of this version"};
        }
        return PluginRefusal{origin, "bad_descriptor", "its descriptor is wrong: " + *wrong,
                             "correct the descriptor and build the plugin again"};
    }
    if (const auto wrong = read_routes(*out.descriptor, out.description)) {
        return PluginRefusal{origin, "bad_routes", "its routes are wrong: " + *wrong, "correct the routes and build the plugin again"};
    }
    out.symbol = [library](const std::string &name) -> weir_handler_v1 {
        return &library->get<weir_status(void *, const weir_event_v1 *, const weir_call_v1 *)>(name);
    };
    return std::nullopt;
}

} // namespace weir::plugin
