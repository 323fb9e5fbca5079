// SPDX-License-Identifier: Apache-2.0
#include "overlap.hpp"

namespace weir::test {

void watch_batches(const PostgresServer &postgres) {
    postgres.query(R"(
CREATE TABLE public.batches (domain text, host text, backend integer, began timestamptz, wrote timestamptz);

CREATE FUNCTION public.note_batch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  INSERT INTO public.batches
    VALUES (TG_TABLE_SCHEMA, current_setting('chaos.host'), pg_backend_pid(), transaction_timestamp(), clock_timestamp());
  RETURN NULL;
END $$;

CREATE FUNCTION public.watch_table() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE made text;
BEGIN
  FOR made IN SELECT object_identity FROM pg_event_trigger_ddl_commands()
    WHERE object_identity IN ('linting.identity_projection', 'chain.chain', 'tally.counters', 'knot.chain') LOOP
    EXECUTE 'CREATE TRIGGER note_batch AFTER INSERT OR UPDATE ON ' || made || ' FOR EACH STATEMENT EXECUTE FUNCTION public.note_batch()';
  END LOOP;
END $$;

CREATE EVENT TRIGGER watch_tables ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.watch_table())");
}

std::map<std::string, Overlap> overlap_by_domain(const PostgresServer &postgres) {
    std::map<std::string, Overlap> result;
    for (const auto &row : postgres.query(R"(
SELECT domain, count(*), count(*) FILTER (WHERE other <> backend AND until > began)
FROM (SELECT domain, backend, began, lag(backend) OVER before AS other, lag(wrote) OVER before AS until
      FROM (SELECT domain, host, backend, began, max(wrote) AS wrote FROM public.batches GROUP BY 1, 2, 3, 4) AS batch
      WINDOW before AS (PARTITION BY domain, host ORDER BY began)) AS batch
GROUP BY domain)")) {
        result[row[0].value()] = {std::stoul(row[1].value()), std::stoul(row[2].value())};
    }
    return result;
}

} // namespace weir::test
