// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * What C++ authors of plugins include: `WEIR_PLUGIN` describes a plugin, `WEIR_HANDLER` handles one event type.
 *
 *     struct Users : weir::Table<Users> { ... };
 *     inline constexpr Users users;
 *
 *     WEIR_PLUGIN(hello, "hello", "1.0.0") {
 *         plugin.tables(users).domain({.name = "hello", .schema = "hello", .group = "hello", .topics = {"identity.user.v1"}});
 *     }
 *
 *     WEIR_HANDLER(hello, user_created) { // handles user.created.v1
 *         call.upsert(users, event.uuid("/user_id")).set(users.email, event.optional_text("/email"));
 *     }
 *
 * Header-only, needs the standard library alone. No exception leaves a plugin: whatever a handler throws becomes a status.
 */
#pragma once

#include "cpp/call.hpp"
#include "cpp/descriptor.hpp"
#include "cpp/event.hpp"
#include "cpp/table.hpp"
#include "cpp/values.hpp"

namespace weir {

/// @cond internal
namespace detail {

/// The one place where C++ errors become C statuses.
template <class Body>
weir_status run_handler(const Plugin *plugin, void *instance, const weir_event_v1 *raw_event, const weir_call_v1 *raw_call,
                        Body body) noexcept {
    const auto fail = [raw_call](weir_status status, std::string_view code, std::string_view message) noexcept {
        raw_call->error(raw_call, view(code), view(message));
        return status;
    };
    if (!plugin) {
        return fail(WEIR_FATAL, "plugin_error", "the plugin's description could not be made");
    }
    try {
        Call call(*plugin, instance, *raw_call);
        const Event event(*raw_event);
        body(event, call);
        return call.finish();
    } catch (const Retry &error) {
        return fail(WEIR_RETRY, error.code(), error.what());
    } catch (const Fatal &error) {
        return fail(WEIR_FATAL, error.code(), error.what());
    } catch (const Reject &error) {
        return fail(WEIR_REJECT, error.code(), error.what());
    } catch (const Skip &) {
        return WEIR_SKIP;
    } catch (const Call::Refused &) {
        return WEIR_REJECT; // the host has noted why
    } catch (const std::bad_alloc &) {
        return fail(WEIR_RETRY, "out_of_memory", "the handler ran out of memory");
    } catch (const std::exception &error) {
        return fail(WEIR_REJECT, "handler_threw", error.what());
    } catch (...) {
        return fail(WEIR_REJECT, "handler_threw", "the handler threw something that is no std::exception");
    }
}

} // namespace detail
/// @endcond

} // namespace weir

/**
 * Describes the plugin; once in a plugin, at global scope. In the body that follows, `plugin` is a `weir::Plugin &`.
 * @param identifier the name with `-` as `_`, as WEIR_HANDLER takes it
 * @param name       `[a-z][a-z0-9-]{0,62}`
 * @param version    "1.4.0"
 *
 * The description is made on the first call of `weir_plugin_v1` and never destroyed, so that no order of
 * static initialisation or destruction matters. An exception in the body makes the host refuse the plugin.
 */
#define WEIR_PLUGIN(identifier, name, version)                                                                                             \
    static_assert(::weir::detail::is_plugin_name(name, #identifier),                                                                       \
                  "WEIR_PLUGIN: the name is [a-z][a-z0-9-]{0,62}, and the identifier is the name with - as _");                            \
    static void weir_describe_##identifier(::weir::Plugin &plugin);                                                                        \
    const ::weir::Plugin *weir_plugin_object_##identifier() noexcept;                                                                      \
    static const weir_plugin_descriptor_v1 *weir_descriptor_##identifier(const ::weir::Plugin **object) noexcept {                         \
        static ::weir::Plugin *made = nullptr;                                                                                             \
        static const weir_plugin_descriptor_v1 *const descriptor = []() noexcept -> const weir_plugin_descriptor_v1 * {                    \
            try {                                                                                                                          \
                auto plugin = ::std::make_unique<::weir::Plugin>(name, version);                                                           \
                weir_describe_##identifier(*plugin);                                                                                       \
                const auto *finished = plugin->finish(                                                                                     \
                    [](const weir_host_v1 *host, const weir_setup_v1 *setup, void **instance) noexcept -> weir_status {                    \
                        return weir_plugin_object_##identifier()->make_instance(host, setup, instance);                                    \
                    },                                                                                                                     \
                    [](void *, weir_view id) noexcept -> const void * {                                                                    \
                        return weir_plugin_object_##identifier()->extension(::weir::detail::text(id));                                     \
                    });                                                                                                                    \
                made = plugin.release();                                                                                                   \
                return finished;                                                                                                           \
            } catch (...) {                                                                                                                \
                return nullptr;                                                                                                            \
            }                                                                                                                              \
        }();                                                                                                                               \
        *object = made;                                                                                                                    \
        return descriptor;                                                                                                                 \
    }                                                                                                                                      \
    const ::weir::Plugin *weir_plugin_object_##identifier() noexcept {                                                                     \
        const ::weir::Plugin *object = nullptr;                                                                                            \
        weir_descriptor_##identifier(&object);                                                                                             \
        return object;                                                                                                                     \
    }                                                                                                                                      \
    extern "C" WEIR_EXPORT const weir_plugin_descriptor_v1 *weir_plugin_v1(void) {                                                         \
        const ::weir::Plugin *object = nullptr;                                                                                            \
        return weir_descriptor_##identifier(&object);                                                                                      \
    }                                                                                                                                      \
    static void weir_describe_##identifier([[maybe_unused]] ::weir::Plugin &plugin)

/**
 * Handles one event type; at global scope, in any source file of the plugin. In the body that follows, `event` is a `const weir::Event &`
 * and `call` a `weir::Call &`.
 * @param identifier as in WEIR_PLUGIN
 * @param event_name the type with `.` as `_` and without `.v1`: `user_created` for user.created.v1, `user_created_v2` for user.created.v2
 */
#define WEIR_HANDLER(identifier, event_name)                                                                                               \
    const ::weir::Plugin *weir_plugin_object_##identifier() noexcept;                                                                      \
    static void weir_handle_##identifier##_##event_name(const ::weir::Event &event, ::weir::Call &call);                                   \
    extern "C" WEIR_EXPORT weir_status handle_##identifier##_##event_name(void *instance, const weir_event_v1 *event,                      \
                                                                          const weir_call_v1 *call) noexcept {                             \
        return ::weir::detail::run_handler(weir_plugin_object_##identifier(), instance, event, call,                                       \
                                           weir_handle_##identifier##_##event_name);                                                       \
    }                                                                                                                                      \
    static void weir_handle_##identifier##_##event_name([[maybe_unused]] const ::weir::Event &event, [[maybe_unused]] ::weir::Call &call)
