-- One index for each way in which facts are asked for; all are newest first,
-- and those of members that most facts lack leave these facts out.
CREATE INDEX fact_at        ON fact (at);
CREATE INDEX fact_kind      ON fact (kind, at);
CREATE INDEX fact_place     ON fact (sector, at);
CREATE INDEX fact_agent     ON fact (agent_id, at)  WHERE agent_id IS NOT NULL;
CREATE INDEX fact_operation ON fact (operation, at) WHERE operation IS NOT NULL;
CREATE UNIQUE INDEX fact_id ON fact (id)            WHERE id IS NOT NULL;

CREATE INDEX agent_place        ON agent (sector, ordinal);
CREATE INDEX operation_open     ON operation (seq) WHERE ended IS NULL;
CREATE INDEX delivery_operation ON delivery (operation);
CREATE INDEX delivery_sector    ON delivery (sector, seq);
