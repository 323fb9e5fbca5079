// SPDX-License-Identifier: Apache-2.0
#include "sqlite_store.hpp"

#include "holders.hpp"
#include "migration.hpp"
#include "replacement.hpp"

#include <mutex>

namespace weir::store::sqlite {

namespace {

class SqliteDomain final : public DomainStore {
public:
    explicit SqliteDomain(Place place)
        : place_(std::move(place)), schema_(std::make_shared<const Schema>()),
          holders_(std::make_shared<Holders>(place_.options.directory, place_.schema)) {}

    MigrationSteps migrate(const Schema &schema) override {
        prepare_file(place_);
        Connection connection(place_);
        MigrationSteps steps = sqlite::migrate(connection, schema);
        const std::lock_guard lock(mutex_);
        schema_ = std::make_shared<const Schema>(schema);
        return steps;
    }

    MigrationSteps preview(const Schema &schema) override {
        Connection connection(place_);
        return sqlite::migrate(connection, schema, true);
    }

    std::unique_ptr<Session> open() override {
        std::shared_ptr<const Schema> schema;
        {
            const std::lock_guard lock(mutex_);
            schema = schema_;
        }
        std::error_code error;
        if (!std::filesystem::exists(place_.file(), error)) { // opening would make an empty one
            throw Unavailable(place_.name() + " isn't there: see that store.url (WEIR_STORE_URL) and the domain's service.schema name the "
                                              "right file, and that `weir run` has made it");
        }
        prepare_file(place_);
        return std::make_unique<SqliteSession>(place_, std::move(schema), holders_, filters_);
    }

    std::vector<std::string> adopted_tables(const Schema &schema) override {
        prepare_file(place_);
        Connection connection(place_);
        return sqlite::adopted_tables(connection, schema);
    }

    std::vector<std::string> route_tables(const Schema &schema) override {
        prepare_file(place_);
        Connection connection(place_);
        return sqlite::route_tables(connection, schema);
    }

private:
    const Place place_;
    std::mutex mutex_;
    std::shared_ptr<const Schema> schema_;
    const std::shared_ptr<LedgerFilters> filters_ = std::make_shared<LedgerFilters>();
    std::shared_ptr<Holders> holders_; // sessions share it: a holder lives as long as any of them
};

class SqliteStore final : public Store {
public:
    explicit SqliteStore(SqliteOptions options) : options_(std::move(options)) {}

    std::unique_ptr<DomainStore> domain(const std::string &schema_name) override {
        SqliteOptions options = options_;
        if (is_shadow_schema(schema_name)) {
            options.synchronous = Synchronous::normal; // what a power cut takes of it is made again
        }
        return std::make_unique<SqliteDomain>(Place{options, schema_name});
    }

    bool has_domain(const std::string &schema_name) override {
        std::error_code error;
        const std::filesystem::path file = Place{options_, schema_name}.file();
        const auto status = std::filesystem::status(file, error);
        if (status.type() == std::filesystem::file_type::none) { // perhaps there, perhaps not
            throw Unavailable(file.string() + " can't be looked at: " + error.message() + "; ask as the user that runs Weir, or as root");
        }
        return std::filesystem::is_regular_file(status);
    }

    std::unique_ptr<Replacement> replace_by_shadow(const std::string &schema_name, const Schema &tables) override {
        return std::make_unique<SqliteReplacement>(Place{options_, schema_name}, Place{options_, shadow_schema_name(schema_name)}, tables,
                                                   std::make_shared<Holders>(options_.directory, schema_name));
    }

    void remove_shadow(const std::string &schema_name) override {
        const Place shadow{options_, shadow_schema_name(schema_name)};
        Holders(options_.directory, shadow.schema).sweep({});
        std::error_code error;
        for (const char *suffix : {"-wal", "-shm", ""}) { // the file last: while it is there, there is a shadow to be removed
            std::filesystem::remove(shadow.file().string() + suffix, error);
            if (error) {
                throw Unavailable(shadow.file().string() + suffix + " can't be removed: " + error.message());
            }
        }
    }

    std::string guarantee() const override {
        if (options_.synchronous == Synchronous::full) {
            return "commits survive a killed process and a power cut (SQLite, write-ahead log, synchronous=full)";
        }
        return "commits survive a killed process; a power cut may take the last ones back, which the broker then delivers again only where "
               "it still has them "
               "(SQLite, write-ahead log, synchronous=normal)";
    }

private:
    const SqliteOptions options_;
};

} // namespace

std::unique_ptr<Store> open_sqlite_store(const SqliteOptions &options) { return std::make_unique<SqliteStore>(options); }

} // namespace weir::store::sqlite
