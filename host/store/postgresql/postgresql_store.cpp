// SPDX-License-Identifier: Apache-2.0
#include "postgresql_store.hpp"

#include "existing.hpp"
#include "migration.hpp"
#include "presence.hpp"
#include "replacement.hpp"
#include "roles.hpp"
#include "session.hpp"

#include <mutex>

namespace weir::store::postgresql {

namespace {

/// What all domains of a store share.
struct Shared {
    explicit Shared(const PostgresqlOptions &options) : pool(options), presence(pool) {}
    Pool pool;
    Presence presence;
};

bool has_tables(Connection &connection, const std::string &schema) {
    bool found = false;
    connection.guard([&] {
        connection
            .query("select exists (select from pg_class where relname = 'schema_migrations' and relnamespace = "
                   "(select oid from pg_namespace where nspname = :a))",
                   1, 1)
            .text(0, schema)
            .each([&](Query &row) { found = row.take_boolean(0); });
    });
    return found;
}

constexpr std::size_t kBatchesAtOnce = 8; // beyond that they wait for each other

class PostgresqlDomain final : public DomainStore {
public:
    PostgresqlDomain(std::shared_ptr<Shared> shared, const std::string &schema)
        : shared_(std::move(shared)), place_{&shared_->pool, schema} {}

    MigrationSteps migrate(const Schema &schema) override {
        std::shared_ptr<const Layout> layout;
        const Pool::Lent connection = shared_->pool.take();
        MigrationSteps steps = postgresql::migrate(*connection, place_, schema, layout);
        const std::lock_guard lock(mutex_);
        layout_ = std::move(layout);
        return steps;
    }

    MigrationSteps preview(const Schema &schema) override { return postgresql::preview(*shared_->pool.take(), place_, schema); }

    std::unique_ptr<Session> open() override {
        return std::make_unique<PostgresqlSession>(place_, layout(), shared_->presence, filters_, shared_);
    }

    std::size_t batches_at_once() const override { return kBatchesAtOnce; }

    std::vector<std::string> adopted_tables(const Schema &schema) override {
        const Pool::Lent connection = shared_->pool.take();
        return postgresql::adopted_tables(*connection, place_, schema);
    }

    std::vector<std::string> route_tables(const Schema &schema) override {
        const Pool::Lent connection = shared_->pool.take();
        return postgresql::route_tables(*connection, place_, schema);
    }

private:
    std::shared_ptr<const Layout> layout() {
        {
            const std::lock_guard lock(mutex_);
            if (layout_) {
                return layout_;
            }
        }
        const Pool::Lent connection = shared_->pool.take();
        if (!has_tables(*connection, place_.schema)) {
            throw Unavailable("there is no schema " + place_.schema + " of Weir's in " + shared_->pool.name() +
                              ": `weir run` makes it; see that store.url and the domain's service.schema are right");
        }
        auto standard = std::make_shared<Layout>(); // operators' commands need the standard tables alone
        standard->letter_limits = letter_limits(read_existing(*connection, place_)["dead_letter_queue"]);
        const std::lock_guard lock(mutex_);
        if (!layout_) {
            layout_ = std::move(standard);
        }
        return layout_;
    }

    const std::shared_ptr<Shared> shared_;
    const Place place_;
    const std::shared_ptr<LedgerFilters> filters_ = std::make_shared<LedgerFilters>();
    std::mutex mutex_;
    std::shared_ptr<const Layout> layout_;
};

class PostgresqlStore final : public Store {
public:
    explicit PostgresqlStore(const PostgresqlOptions &options) : shared_(std::make_shared<Shared>(options)) {}

    std::unique_ptr<DomainStore> domain(const std::string &schema_name) override {
        return std::make_unique<PostgresqlDomain>(shared_, schema_name);
    }

    bool has_domain(const std::string &schema_name) override { return has_tables(*shared_->pool.take(), schema_name); }

    std::unique_ptr<Replacement> replace_by_shadow(const std::string &schema_name, const Schema &tables) override {
        const Place place{&shared_->pool, schema_name};
        const Place shadow{&shared_->pool, shadow_schema_name(schema_name)};
        std::shared_ptr<const Layout> ours;
        std::shared_ptr<const Layout> theirs;
        {
            const Pool::Lent connection = shared_->pool.take();
            postgresql::migrate(*connection, place, tables, ours);
            postgresql::migrate(*connection, shadow, tables, theirs);
        }
        return std::make_unique<PostgresqlReplacement>(place, std::move(ours), shadow, std::move(theirs), shared_->presence, shared_);
    }

    void remove_shadow(const std::string &schema_name) override {
        remove_schema(*shared_->pool.take(), {&shared_->pool, shadow_schema_name(schema_name)});
    }

    std::string guarantee() const override {
        const std::string what = "commits survive a killed process";
        const Pool::Lent connection = shared_->pool.take();
        std::string synchronous;
        std::string fsync;
        connection->guard([&] {
            connection->query("select current_setting('synchronous_commit'), current_setting('fsync')", 0, 2).each([&](Query &row) {
                synchronous = row.take_text(0);
                fsync = row.take_text(1);
            });
        });
        const std::string settings = " (PostgreSQL, synchronous_commit=" + synchronous + ", fsync=" + fsync + ")";
        if (fsync == "off") {
            return what + ", but a power cut may destroy the whole database" + settings;
        }
        return synchronous == "off" ? what +
                                          "; a crash of the server may take the last ones back, which the broker then delivers again only "
                                          "where it still has them" +
                                          settings
                                    : what + " and a crash of the server" + settings;
    }

    void give_up() noexcept override { shared_->pool.give_up(); }

    PoolCounts counts() const { return shared_->pool.counts(); }

private:
    const std::shared_ptr<Shared> shared_;
};

} // namespace

std::unique_ptr<Store> open_postgresql_store(const PostgresqlOptions &options) { return std::make_unique<PostgresqlStore>(options); }

PoolCounts pool_counts(const Store &store) {
    const auto *own = dynamic_cast<const PostgresqlStore *>(&store);
    return own ? own->counts() : PoolCounts{};
}

} // namespace weir::store::postgresql
