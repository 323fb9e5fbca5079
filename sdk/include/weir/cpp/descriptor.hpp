// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a plugin says of itself: `weir::Plugin`, the body of WEIR_PLUGIN.
#pragma once

#include "settings.hpp"
#include "table.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <vector>

namespace weir {

/// Whether events of one key take effect in topic order.
enum class Order : std::uint32_t {
    ordered = WEIR_ORDER_ORDERED,  ///< they do
    parallel = WEIR_ORDER_PARALLEL ///< any number of readers: for changes that commute
};

/// Another name for an event type, as older producers send it.
struct Alias {
    std::string_view alias;      ///< "UserCreated"
    std::string_view event_type; ///< "user.created.v1"
};

/// Where the members of an envelope are found in a topic's messages. Each source is empty (the envelope's own member), a JSON pointer
/// into the message, or "=" and a fixed value; `event_id` may be "position" as well.
struct Binding {
    std::string_view topic{};             ///< which topic
    bool envelope_required = false;       ///< a message without an envelope's members is broken, not bare
    std::vector<std::string_view> keys{}; ///< the parts of the ordering key; none: the broker's key, else the partition
    std::vector<Alias> aliases{};         ///< other names of event types
    std::string_view event_id{};          ///< source of the id
    std::string_view event_type{};        ///< source of the type
    std::string_view occurred_at{};       ///< source of the time
    std::string_view tenant_id{};         ///< source of the tenant
    std::string_view correlation_id{};    ///< source of the correlation id
    std::string_view payload{};           ///< source of the payload
};

/// How the plugin serves where no configuration says otherwise.
struct Domain {
    std::string_view name{};                ///< "linting"
    std::string_view schema{};              ///< the database schema
    std::string_view group{};               ///< the consumer group
    std::vector<std::string_view> topics{}; ///< what it reads; none: served where a configuration names topics, not by itself
    Order order = Order::ordered;           ///< whether keys keep their order
    std::vector<Binding> bindings{};        ///< how messages become events
};

/// @cond internal
namespace detail {

template <class T> inline constexpr char type_tag = 0;

struct InstanceBase {
    const char *type = nullptr;
};
template <class T> struct Instance : InstanceBase {
    explicit Instance(const Setup &setup) : value(setup), host(setup.host()) { type = &type_tag<T>; }
    mutable T value;
    const weir_host_v1 &host;
};

/// create, start, drain and destroy for an instance of T: nothing is thrown across.
template <class T> struct Lifecycle {
    static weir_status start(void *instance) noexcept {
        if constexpr (requires(T & value) { value.start(); }) {
            auto &self = *static_cast<Instance<T> *>(static_cast<InstanceBase *>(instance));
            try {
                self.value.start();
            } catch (const std::exception &error) {
                self.host.error(&self.host, view(error.what()));
                return WEIR_FATAL;
            } catch (...) {
                self.host.error(&self.host, view("the plugin's instance could not start: an exception of unknown type"));
                return WEIR_FATAL;
            }
        }
        return WEIR_OK;
    }
    static void drain(void *instance) noexcept {
        if constexpr (requires(T & value) { value.drain(); }) {
            try {
                static_cast<Instance<T> *>(static_cast<InstanceBase *>(instance))->value.drain();
            } catch (...) { // draining has no way to fail: what was to be given back stays until destroy
                return;
            }
        }
    }
    static void destroy(void *instance) noexcept { delete static_cast<Instance<T> *>(static_cast<InstanceBase *>(instance)); }
};

/// Whether `name` with `-` as `_` is the identifier that the handlers are named with.
constexpr bool is_plugin_name(std::string_view name, std::string_view identifier) noexcept {
    if (name.empty() || name.size() > 63 || name.size() != identifier.size() || name[0] < 'a' || name[0] > 'z') {
        return false;
    }
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9');
        if (!(letter && identifier[i] == name[i]) && !(name[i] == '-' && identifier[i] == '_')) {
            return false;
        }
    }
    return true;
}

} // namespace detail
/// @endcond

/**
 * A plugin's description, put together in the body of WEIR_PLUGIN and kept for the life of the process. All texts given to it
 * must be literals (or live as long). What is wrong is thrown; the host then refuses the plugin.
 */
class Plugin {
public:
    /// For WEIR_PLUGIN.
    Plugin(std::string_view name, std::string_view version) {
        descriptor_.size = sizeof(descriptor_);
        descriptor_.name = detail::view(name);
        descriptor_.version = detail::view(version);
        descriptor_.settings = detail::view("{}"); // empty would mean: any
    }
    Plugin(const Plugin &) = delete;
    Plugin &operator=(const Plugin &) = delete;

    /// One sentence for `weir plugin list`.
    Plugin &summary(std::string_view text) {
        descriptor_.summary = detail::view(text);
        return *this;
    }

    /// The tables of its domains. Tables that are referred to come first.
    template <detail::IsTable... Tables> Plugin &tables(const Tables &...tables) {
        (add_table(tables), ...);
        return *this;
    }

    /// Says which row a handler reads, so that the host fetches a whole batch's rows at once.
    /// @param event_type the full type, "user.updated.v1"
    /// @param table      one of those given to `tables`
    /// @param pointers   a JSON pointer into the envelope for each primary key column: "/tenant_id", "/payload/user_id"
    template <detail::IsTable T, class... Pointers>
    Plugin &reads(std::string_view event_type, const T &table, const Pointers &...pointers) {
        static_assert(sizeof...(Pointers) == std::tuple_size_v<typename detail::KeyOf<T>::Values>,
                      "reads() has a pointer for each primary key column");
        const auto &keys = keep(std::vector<weir_view>{detail::view(pointers)...});
        weir_read_v1 read{};
        read.event_type = detail::view(event_type);
        read.table = table_index(&table);
        read.key_count = static_cast<std::uint32_t>(keys.size());
        read.key_pointers = keys.data();
        reads_.push_back(read);
        return *this;
    }

    /// A function for other clients of the same database, where the store has functions: called with a primary key, it adds 1 to the count
    /// of the row with this key, which it makes where it is missing, and notes the time. See `weir_counter_v1`.
    /// @param name  `[a-z_][a-z0-9_]{0,62}`; the function is in the domain's schema
    /// @param table one of those given to `tables`
    /// @param count what it counts
    /// @param time  when it counted last
    template <detail::IsTable T>
    Plugin &counter(std::string_view name, const T &table, const typename T::Int64 &count, const typename T::Timestamp &time) {
        weir_counter_v1 out{};
        out.name = detail::view(name);
        out.table = table_index(&table);
        out.count_column = count.index();
        out.time_column = time.index();
        counters_.push_back(out);
        return *this;
    }

    /// A domain that it serves where no configuration says otherwise. None: it serves only where a configuration names it.
    Plugin &domain(const Domain &domain) {
        const auto &topics = keep(views(domain.topics));
        auto &bindings = keep(std::vector<weir_binding_v1>{});
        for (const Binding &binding : domain.bindings) {
            bindings.push_back(convert(binding));
        }
        weir_domain_v1 out{};
        out.name = detail::view(domain.name);
        out.schema = detail::view(domain.schema);
        out.group = detail::view(domain.group);
        out.topics = topics.data();
        out.topic_count = static_cast<std::uint32_t>(topics.size());
        out.order = static_cast<std::uint32_t>(domain.order);
        out.bindings = bindings.data();
        out.binding_count = static_cast<std::uint32_t>(bindings.size());
        out.binding_stride = sizeof(weir_binding_v1);
        domains_.push_back(out);
        return *this;
    }

    /// The settings that it takes, with their default values: a JSON object. Others are refused by the host; without this, all are. An
    /// empty text takes any.
    Plugin &settings(std::string_view json) {
        descriptor_.settings = detail::view(json);
        return *this;
    }

    /// The type of which every domain has one object, made from a `const weir::Setup &`. Handlers get it with `call.instance<T>()`,
    /// possibly on several threads at once. `void start()` and `void drain()` are called where it has them. SettingsError, or any other
    /// exception of its constructor, refuses the domain.
    template <class T> Plugin &instance() {
        static_assert(std::is_constructible_v<T, const Setup &>, "an instance is made from const weir::Setup &");
        make_instance_ = [](const Setup &setup) -> detail::InstanceBase * {
            return std::make_unique<detail::Instance<T>>(setup).release();
        };
        descriptor_.start = [](void *instance) noexcept -> weir_status { return detail::Lifecycle<T>::start(instance); };
        descriptor_.drain = [](void *instance) noexcept { detail::Lifecycle<T>::drain(instance); };
        descriptor_.destroy = [](void *instance) noexcept { detail::Lifecycle<T>::destroy(instance); };
        return *this;
    }

    /// What an extension's header keeps with the plugin, made at the first call; for headers such as <weir/http.hpp>.
    /// @param id    "weir.<name>/<revision>"
    /// @param table what the host is given when it asks
    template <class T> T &extend(std::string_view id, const void *(*table)(const T &)) {
        for (const Extension &extension : extensions_) {
            if (extension.id == id) {
                return *std::static_pointer_cast<T>(extension.object);
            }
        }
        auto object = std::make_shared<T>();
        extensions_.push_back({id, object, [object, table] { return table(*object); }});
        return *object;
    }

    /// For WEIR_PLUGIN: the extension of this id; null where it has none.
    const void *extension(std::string_view id) const noexcept {
        for (const Extension &extension : extensions_) {
            if (extension.id == id) {
                return extension.table();
            }
        }
        return nullptr;
    }

    /// Refuses hosts that offer less of ABI 1: something of it is stated that they wouldn't heed.
    void need_abi_minor(std::uint32_t minor) { descriptor_.abi_minor = std::max(descriptor_.abi_minor, minor); }

    /// For WEIR_PLUGIN: the finished descriptor. `create` calls `make_instance`, `ask` calls `extension`.
    const weir_plugin_descriptor_v1 *finish(decltype(weir_plugin_descriptor_v1::create) create,
                                            decltype(weir_plugin_descriptor_v1::extension) ask) {
        resolve_references();
        descriptor_.tables = tables_.data();
        descriptor_.table_count = static_cast<std::uint32_t>(tables_.size());
        descriptor_.table_stride = sizeof(weir_table_v1);
        descriptor_.reads = reads_.data();
        descriptor_.read_count = static_cast<std::uint32_t>(reads_.size());
        descriptor_.read_stride = sizeof(weir_read_v1);
        descriptor_.domains = domains_.data();
        descriptor_.domain_count = static_cast<std::uint32_t>(domains_.size());
        descriptor_.domain_stride = sizeof(weir_domain_v1);
        descriptor_.counters = counters_.data();
        descriptor_.counter_count = static_cast<std::uint32_t>(counters_.size());
        descriptor_.counter_stride = sizeof(weir_counter_v1);
        descriptor_.create = make_instance_ ? create : nullptr;
        if (!extensions_.empty()) {
            need_abi_minor(1); // hosts before don't ask without an instance
            descriptor_.extension = ask;
        }
        return &descriptor_;
    }

    /// For WEIR_PLUGIN: makes an instance; what goes wrong is told to the host.
    weir_status make_instance(const weir_host_v1 *host, const weir_setup_v1 *setup, void **instance) const noexcept {
        try {
            *instance = make_instance_(Setup(*host, *setup, detail::text(descriptor_.settings)));
            return WEIR_OK;
        } catch (const std::exception &error) {
            host->error(host, detail::view(error.what()));
        } catch (...) {
            host->error(host, detail::view("the plugin's instance could not be made: an exception of unknown type"));
        }
        return WEIR_FATAL;
    }

    /// The place of a table in the descriptor.
    std::uint32_t table_index(const void *table) const {
        for (std::size_t i = 0; i < table_objects_.size(); ++i) {
            if (table_objects_[i] == table) {
                return static_cast<std::uint32_t>(i);
            }
        }
        detail::plugin_error("a table is used that .tables(...) in WEIR_PLUGIN does not name");
    }

private:
    struct Extension {
        std::string_view id;
        std::shared_ptr<void> object;
        std::function<const void *()> table;
    };

    /// Keeps a vector at a fixed address for the life of the plugin.
    template <class T> std::vector<T> &keep(std::vector<T> values) {
        auto kept = std::make_shared<std::vector<T>>(std::move(values));
        kept_.push_back(kept);
        return *kept;
    }
    static std::vector<weir_view> views(const std::vector<std::string_view> &texts) {
        std::vector<weir_view> out;
        std::transform(texts.begin(), texts.end(), std::back_inserter(out), detail::view);
        return out;
    }

    weir_binding_v1 convert(const Binding &binding) {
        const auto &keys = keep(views(binding.keys));
        auto &aliases = keep(std::vector<weir_alias_v1>{});
        for (const Alias &alias : binding.aliases) {
            aliases.push_back({detail::view(alias.alias), detail::view(alias.event_type)});
        }
        weir_binding_v1 out{};
        out.topic = detail::view(binding.topic);
        out.flags = binding.envelope_required ? WEIR_BINDING_ENVELOPE_REQUIRED : 0;
        out.alias_count = static_cast<std::uint32_t>(aliases.size());
        out.aliases = aliases.data();
        out.alias_stride = sizeof(weir_alias_v1);
        out.key_count = static_cast<std::uint32_t>(keys.size());
        out.keys = keys.data();
        out.event_id = detail::view(binding.event_id);
        out.event_type = detail::view(binding.event_type);
        out.occurred_at = detail::view(binding.occurred_at);
        out.tenant_id = detail::view(binding.tenant_id);
        out.correlation_id = detail::view(binding.correlation_id);
        out.payload = detail::view(binding.payload);
        return out;
    }

    template <class T> void add_table(const T &table) {
        static_assert(!detail::KeyOf<T>::nullable, "a primary key has no nullable columns");
        static_assert(std::is_same_v<typename detail::KeyOf<T>::Table, T>, "a primary key is of the table's own columns");
        const Table<T> &base = table; // a column may be called "name"
        const auto key = table.primary_key().columns;
        const auto &primary_key = keep(std::vector<std::uint32_t>(key.begin(), key.end()));
        auto &indexes = keep(std::vector<weir_index_v1>{});
        if constexpr (requires { table.indexes(); }) {
            for (const Index &index : table.indexes()) {
                const auto &columns = keep(std::vector<std::uint32_t>(index.columns.begin(), index.columns.begin() + index.count));
                indexes.push_back({detail::view(index.name), columns.data(), index.count, index.unique ? WEIR_INDEX_UNIQUE : 0});
            }
        }
        std::vector<Reference> references;
        if constexpr (requires { table.references(); }) {
            for (const Reference &reference : table.references()) {
                references.push_back(reference);
            }
        }
        weir_table_v1 out{};
        out.name = detail::view(base.name());
        out.columns = base.columns();
        out.column_count = base.column_count();
        out.column_stride = sizeof(weir_column_v1);
        out.primary_key = primary_key.data();
        out.primary_key_count = static_cast<std::uint32_t>(primary_key.size());
        out.index_count = static_cast<std::uint32_t>(indexes.size());
        out.indexes = indexes.data();
        out.index_stride = sizeof(weir_index_v1);
        tables_.push_back(out);
        table_objects_.push_back(static_cast<const void *>(&table));
        references_.push_back(std::move(references));
    }

    /// Only now are all tables known.
    void resolve_references() {
        for (std::size_t i = 0; i < tables_.size(); ++i) {
            auto &out = keep(std::vector<weir_reference_v1>{});
            for (const Reference &reference : references_[i]) {
                const auto &from = keep(std::vector<std::uint32_t>(reference.columns.begin(), reference.columns.begin() + reference.count));
                const auto &to =
                    keep(std::vector<std::uint32_t>(reference.target_columns.begin(), reference.target_columns.begin() + reference.count));
                out.push_back({from.data(), reference.count, table_index(reference.target), to.data()});
            }
            tables_[i].reference_count = static_cast<std::uint32_t>(out.size());
            tables_[i].references = out.data();
            tables_[i].reference_stride = sizeof(weir_reference_v1);
        }
    }

    weir_plugin_descriptor_v1 descriptor_{};
    detail::InstanceBase *(*make_instance_)(const Setup &) = nullptr;
    std::vector<weir_table_v1> tables_;
    std::vector<const void *> table_objects_;
    std::vector<std::vector<Reference>> references_;
    std::vector<weir_read_v1> reads_;
    std::vector<weir_domain_v1> domains_;
    std::vector<weir_counter_v1> counters_;
    std::vector<Extension> extensions_;
    std::vector<std::shared_ptr<void>> kept_;
};

} // namespace weir
