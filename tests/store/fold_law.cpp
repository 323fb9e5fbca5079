// SPDX-License-Identifier: Apache-2.0
#include "fold_law.hpp"

#include "random_changes.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace weir::test {

using namespace store;

namespace {

using Broken = std::optional<std::string>;

/// All rows, changed by apply_change alone.
class Model {
public:
    explicit Model(const Schema &schema) : schema_(&schema), tables_(schema.tables.size()) {}

    void put(std::uint32_t table, const Row &row) {
        Key key;
        for (const std::uint32_t column : schema_->tables[table].primary_key) {
            key.push_back(row[column]);
        }
        tables_[table][comparable_key(schema_->tables[table], key)] = row;
    }

    std::optional<Row> row(std::uint32_t table, const Key &key) const {
        const auto found = tables_[table].find(comparable_key(schema_->tables[table], key));
        return found == tables_[table].end() ? std::nullopt : std::optional<Row>(found->second);
    }

    /// @return whether the change was taken
    bool apply(const Change &change, const Origin &origin, bool &stale) {
        std::optional<Row> held = row(change.table, change.key);
        if (apply_change(schema_->tables[change.table], change, origin, held, stale)) {
            return false;
        }
        const Key key = comparable_key(schema_->tables[change.table], change.key);
        if (held) {
            tables_[change.table][key] = *held;
        } else {
            tables_[change.table].erase(key);
        }
        return true;
    }

    std::vector<Row> rows(std::uint32_t table) const {
        std::vector<Row> rows;
        for (const auto &[key, row] : tables_[table]) {
            rows.push_back(row);
        }
        return rows;
    }

private:
    const Schema *schema_;
    std::vector<std::map<Key, Row>> tables_;
};

struct EventChanges {
    std::size_t number = 0;
    Origin origin;
    std::vector<Change> changes;
    std::optional<std::pair<std::uint32_t, Key>> read; ///< made before the changes
};
using Batch = std::vector<EventChanges>;

/// What one run of a batch over the model came to.
struct ModelRun {
    Model model;
    std::vector<std::size_t> stale;
    std::set<std::size_t> refused; ///< events
    std::vector<std::optional<Row>> reads;
};

ModelRun run_model(const Model &start, const Batch &batch) {
    ModelRun run{start, {}, {}, {}};
    for (const EventChanges &event : batch) {
        if (event.read) {
            run.reads.push_back(run.model.row(event.read->first, event.read->second));
        }
        bool stale = false;
        for (const Change &change : event.changes) {
            if (!run.model.apply(change, event.origin, stale)) {
                run.refused.insert(event.number);
            }
        }
        if (stale) {
            run.stale.push_back(event.number);
        }
    }
    return run;
}

Batch random_batch(const Schema &schema, const Model &start, Random &random, const LawOptions &options) {
    Batch batch;
    Model model = start;
    const ChangeMix mix = random.chance(50) ? ChangeMix::blind : ChangeMix::all;
    const std::size_t events = random.between(1, options.events_max);
    std::size_t number = random.below(3);
    for (std::size_t i = 0; i < events; ++i) {
        EventChanges event{number, random_origin(random), {}, {}};
        number += random.between(1, 3);
        if (random.chance(8)) {
            const auto table = static_cast<std::uint32_t>(random.below(schema.tables.size()));
            event.read = {table, random_key(random, schema.tables[table])};
        }
        const std::size_t changes = random.below(options.changes_max + 1);
        for (std::size_t c = 0; c < changes; ++c) {
            Change change = random_change(random, schema, mix);
            bool stale = false;
            if (model.apply(change, event.origin, stale) || options.refusals) {
                event.changes.push_back(std::move(change));
            }
        }
        batch.push_back(std::move(event));
    }
    return batch;
}

std::string describe_batch(const Schema &schema, const Batch &batch) {
    std::string text;
    for (const EventChanges &event : batch) {
        if (event.read) {
            text += "\n  event " + std::to_string(event.number) + ": read " + schema.tables[event.read->first].name +
                    describe(event.read->second);
        }
        for (const Change &change : event.changes) {
            text += "\n  event " + std::to_string(event.number) + ": " + describe(schema, change);
        }
    }
    return text;
}

Broken compare_rows(const Schema &schema, const Model &model, StoreUnderTest &store) {
    for (std::uint32_t table = 0; table < schema.tables.size(); ++table) {
        std::vector<Row> expected = model.rows(table);
        std::vector<Row> found = store.rows(table);
        std::sort(expected.begin(), expected.end());
        std::sort(found.begin(), found.end());
        if (expected == found) {
            continue;
        }
        std::string text = "table " + schema.tables[table].name + " differs\n  expected:";
        for (const Row &row : expected) {
            text += "\n    " + describe(row);
        }
        text += "\n  in the store:";
        for (const Row &row : found) {
            text += "\n    " + describe(row);
        }
        return text;
    }
    return std::nullopt;
}

void prefetch_some(const Schema &schema, const Batch &batch, Random &random, BatchRows &rows) {
    for (std::uint32_t table = 0; table < schema.tables.size(); ++table) {
        std::vector<Key> keys;
        for (const EventChanges &event : batch) {
            for (const Change &change : event.changes) {
                if (change.table == table && random.chance(40)) {
                    keys.push_back(change.key);
                }
            }
        }
        rows.prefetch(table, std::move(keys));
    }
}

class Runner {
public:
    Runner(const Schema &schema, StoreUnderTest &store, Random &random, const LawOptions &options, LawCounts &counts)
        : schema_(schema), store_(store), random_(random), options_(options), counts_(counts), model_(schema) {
        for (std::uint32_t table = 0; table < schema.tables.size(); ++table) {
            for (const Row &row : store.rows(table)) {
                model_.put(table, row);
            }
        }
    }

    Broken run_batch() {
        Batch batch = random_batch(schema_, model_, random_, options_);
        for (;;) {
            std::optional<std::size_t> failed;
            if (Broken broken = run_once(batch, failed)) {
                return *broken + describe_batch(schema_, batch);
            }
            if (!failed) {
                return std::nullopt;
            }
            ++counts_.failures;
            std::erase_if(batch, [&](const EventChanges &event) { return event.number == *failed; });
        }
    }

private:
    Broken run_once(const Batch &batch, std::optional<std::size_t> &failed) {
        ModelRun expected = run_model(model_, batch);
        BatchRows rows(schema_, [this](std::uint32_t table, std::span<const Key> keys) { return store_.fetch(table, keys); });
        if (random_.chance(30)) {
            prefetch_some(schema_, batch, random_, rows);
        }
        std::size_t reads = 0;
        for (const EventChanges &event : batch) {
            if (event.read && rows.read(event.read->first, event.read->second) != expected.reads[reads++]) {
                return "event " + std::to_string(event.number) + " read another row";
            }
            if (random_.chance(50)) {
                rows.add(event.number, event.origin, event.changes);
            } else {
                rows.add(event.number, event.origin, std::vector<Change>(event.changes));
            }
            counts_.changes += event.changes.size();
        }
        counts_.reads += reads;
        const std::vector<TableFlush> flush = rows.finish();
        if (rows.failure()) {
            failed = rows.failure()->event;
            if (!flush.empty()) {
                return "there is a flush in spite of a failure";
            }
            return expected.refused.contains(*failed) ? std::nullopt
                                                      : Broken("event " + std::to_string(*failed) + " is refused without a reason");
        }
        if (rows.stale() != expected.stale) {
            return "other events are stale";
        }
        counts_.stale += rows.stale().size();
        count(flush, batch);
        return flush_and_compare(flush, std::move(expected));
    }

    Broken flush_and_compare(const std::vector<TableFlush> &flush, ModelRun expected) {
        try {
            store_.flush(flush);
        } catch (const DataOutOfRange &error) {
            return expected.refused.empty() ? Broken(std::string("the store refused the flush: ") + error.what()) : std::nullopt;
        }
        if (!expected.refused.empty()) {
            // A sum that leaves its range on the way and comes back is no refusal when folded: go on from what is in the store.
            return reload();
        }
        model_ = std::move(expected.model);
        return compare_rows(schema_, model_, store_);
    }

    Broken reload() {
        model_ = Model(schema_);
        for (std::uint32_t table = 0; table < schema_.tables.size(); ++table) {
            for (const Row &row : store_.rows(table)) {
                model_.put(table, row);
            }
        }
        return std::nullopt;
    }

    void count(const std::vector<TableFlush> &flush, const Batch &batch) {
        std::map<std::pair<std::uint32_t, Key>, std::size_t> changes;
        for (const EventChanges &event : batch) {
            for (const Change &change : event.changes) {
                ++changes[{change.table, comparable_key(schema_.tables[change.table], change.key)}];
            }
        }
        for (const TableFlush &table : flush) {
            counts_.erased += table.erased.size();
            counts_.changed += table.changed.size();
            counts_.created += table.created.size();
            for (const BlindWrite &write : table.blind) {
                counts_.blind += write.rows.size();
                for (const Row &row : write.rows) {
                    const auto key_size = static_cast<std::ptrdiff_t>(schema_.tables[table.table].primary_key.size());
                    const Key key = comparable_key(schema_.tables[table.table], Key(row.begin(), row.begin() + key_size));
                    counts_.folded += changes[{table.table, key}] > 1 ? 1 : 0;
                }
            }
        }
    }

    const Schema &schema_;
    StoreUnderTest &store_;
    Random &random_;
    const LawOptions &options_;
    LawCounts &counts_;
    Model model_;
};

} // namespace

std::optional<std::string> hold_fold_law(const Schema &schema, StoreUnderTest &store, Random &random, const LawOptions &options,
                                         LawCounts &counts) {
    ++counts.sequences;
    Runner runner(schema, store, random, options, counts);
    const std::size_t batches = random.between(1, options.batches_max);
    for (std::size_t i = 0; i < batches; ++i) {
        if (Broken broken = runner.run_batch()) {
            return broken;
        }
    }
    return std::nullopt;
}

} // namespace weir::test
