INSERT INTO store (id, incarnation, catalog_revision)
VALUES (1, 'older', 12);
INSERT INTO event_tenant (id, name)
VALUES (1, 'acme');
INSERT INTO event_tenant (id, name)
VALUES (2, 'beta');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (1, 1, 1769853600000000, 1769860800000000, 'e0', 'requests', '0.25', '{"model":"m0","user":"u0"}', '7b59b2a2185fc676b06b87b52ba6a819', NULL, '1:1 2:1 3:1 4:1 5:1 6:1 7:1 8:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (2, 1, 1769853600000000, 1769860800000000, 'e1', 'requests', '1.25', '{"model":"m1","user":"u1"}', 'cdfd599a6333d266e2620684bea7f8ce', NULL, '1:2 2:2 3:2 4:2 5:2 6:2 7:2 9:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (3, 1, 1769853600000000, 1769860800000000, 'e2', 'requests', '2.25', '{"model":"m2","user":"u0"}', '7fa70fe39328c6d4c451e1512df1c93a', NULL, '1:3 2:3 3:3 4:3 5:3 6:3 7:3 10:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (4, 1, 1769853600000000, 1769860800000000, 'e3', 'requests', '3.25', '{"model":"m3","user":"u1"}', 'b007eb70eb69a079329be8db7292993c', NULL, '1:4 2:4 3:4 4:4 5:4 6:4 7:4 11:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (5, 1, 1769853600000000, 1769860800000000, 'e4', 'requests', '4.25', '{"model":"m4","user":"u0"}', 'fe478e025f0b5caf3450fcbf8aa2508d', NULL, '1:5 2:5 3:5 4:5 5:5 6:5 7:5 12:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (6, 1, 1769853600000000, 1769860800000000, 'e5', 'requests', '5.25', '{"model":"m5","user":"u1"}', 'fd1abea50dd4122460fe0d536596d5f5', NULL, '1:6 2:6 3:6 4:6 5:6 6:6 7:6 13:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (7, 1, 1769853600000000, 1769860800000000, 'e6', 'requests', '6.25', '{"model":"m6","user":"u0"}', '844ac748c4c90cf9935501d0aa1dae55', NULL, '1:7 2:7 3:7 4:7 5:7 6:7 7:7 14:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (8, 1, 1769853600000000, 1769860800000000, 'e7', 'requests', '7.25', '{"model":"m7","user":"u1"}', '39b2ff03c9ca8c7fccb7665b38831efc', NULL, '1:8 2:8 3:8 4:8 5:8 6:8 7:8 15:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (9, 2, 1769853600000000, 1769860800000000, 'e0', 'requests', '0.25', '{"model":"m0","user":"u0"}', '02caa914fc5e316e389dfc2623372d98', NULL, '16:1 17:1 18:1 19:1 20:1 21:1 22:1 23:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (10, 2, 1769853600000000, 1769860800000000, 'e1', 'requests', '1.25', '{"model":"m1","user":"u1"}', '9f248e494fae01eb943a216c1a64727a', NULL, '16:2 17:2 18:2 19:2 20:2 21:2 22:2 24:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (11, 2, 1769853600000000, 1769860800000000, 'e2', 'requests', '2.25', '{"model":"m2","user":"u0"}', '450fb7f0c548b29feb3a7c7d95779371', NULL, '16:3 17:3 18:3 19:3 20:3 21:3 22:3 25:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (12, 2, 1769853600000000, 1769860800000000, 'e3', 'requests', '3.25', '{"model":"m3","user":"u1"}', '53d65082d2d15c9c1159f38e32ca28d9', NULL, '16:4 17:4 18:4 19:4 20:4 21:4 22:4 26:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (13, 2, 1769853600000000, 1769860800000000, 'e4', 'requests', '4.25', '{"model":"m4","user":"u0"}', 'e4f6a81e3f034b5c87d01e14ef49eaa0', NULL, '16:5 17:5 18:5 19:5 20:5 21:5 22:5 27:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (14, 2, 1769853600000000, 1769860800000000, 'e5', 'requests', '5.25', '{"model":"m5","user":"u1"}', 'e5825aed77ba5556511e0e1155fd7dcf', NULL, '16:6 17:6 18:6 19:6 20:6 21:6 22:6 28:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (15, 2, 1769853600000000, 1769860800000000, 'e6', 'requests', '6.25', '{"model":"m6","user":"u0"}', '7737ec3451e26b033969022a2c74d436', NULL, '16:7 17:7 18:7 19:7 20:7 21:7 22:7 29:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (16, 2, 1769853600000000, 1769860800000000, 'e7', 'requests', '7.25', '{"model":"m7","user":"u1"}', '352105772818ec3ac80d09d17d3d2271', NULL, '16:8 17:8 18:8 19:8 20:8 21:8 22:8 30:1');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (17, 1, 1769853600000000, 1769860800000000, 'v7', 'requests', '1', '{}', 'b0e3263697016541c7d5d69d16c12dee', 'e7', '');
INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties, fingerprint, voids, counted)
VALUES (18, 1, 1769853600000000, 1769860800000000, 'v9', 'requests', '1', '{}', 'bb7b725d5b5e88e350bca39c62d037f9', 'e9', '');
INSERT INTO void (tenant_id, key, event_id)
VALUES (1, 'e7', 17);
INSERT INTO void (tenant_id, key, event_id)
VALUES (1, 'e9', 18);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (1, 'acme', 'requests', '', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 7, '22.75', NULL, 0, '', 9, 1, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (2, 'acme', 'members', '', 1769853600000000, 1769857200000000, 'unique_count', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 7, '2', NULL, 0, '', 9, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (3, 'acme', 'peak', '', 1769853600000000, 1769857200000000, 'max', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 7, '0', '6.25', 1769853600000000, 'e6', 9, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (4, 'acme', 'floor', '', 1769853600000000, 1769857200000000, 'min', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 7, '0', '0.25', 1769853600000000, 'e0', 9, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (5, 'acme', 'level', '', 1769853600000000, 1769857200000000, 'latest', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 7, '0', '6.25', 1769853600000000, 'e6', 9, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (6, 'acme', 'mean', '', 1769853600000000, 1769857200000000, 'average', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 7, '22.75', NULL, 0, '', 9, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (7, 'acme', 'by model', '', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 7, '22.75', NULL, 0, '', 9, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (8, 'acme', 'by model', '{"model":"m0"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '0.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (9, 'acme', 'by model', '{"model":"m1"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '1.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (10, 'acme', 'by model', '{"model":"m2"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '2.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (11, 'acme', 'by model', '{"model":"m3"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '3.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (12, 'acme', 'by model', '{"model":"m4"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '4.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (13, 'acme', 'by model', '{"model":"m5"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '5.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (14, 'acme', 'by model', '{"model":"m6"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '6.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (15, 'acme', 'by model', '{"model":"m7"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 0, '0', NULL, 0, '', 2, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (16, 'beta', 'requests', '', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 8, '30', NULL, 0, '', 8, 1, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (17, 'beta', 'members', '', 1769853600000000, 1769857200000000, 'unique_count', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 8, '2', NULL, 0, '', 8, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (18, 'beta', 'peak', '', 1769853600000000, 1769857200000000, 'max', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 8, '0', '7.25', 1769853600000000, 'e7', 8, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (19, 'beta', 'floor', '', 1769853600000000, 1769857200000000, 'min', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 8, '0', '0.25', 1769853600000000, 'e0', 8, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (20, 'beta', 'level', '', 1769853600000000, 1769857200000000, 'latest', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 8, '0', '7.25', 1769853600000000, 'e7', 8, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (21, 'beta', 'mean', '', 1769853600000000, 1769857200000000, 'average', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 8, '30', NULL, 0, '', 8, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (22, 'beta', 'by model', '', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 8, '30', NULL, 0, '', 8, 0, 1, 0, 1769857200000000, 0);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (23, 'beta', 'by model', '{"model":"m0"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '0.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (24, 'beta', 'by model', '{"model":"m1"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '1.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (25, 'beta', 'by model', '{"model":"m2"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '2.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (26, 'beta', 'by model', '{"model":"m3"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '3.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (27, 'beta', 'by model', '{"model":"m4"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '4.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (28, 'beta', 'by model', '{"model":"m5"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '5.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (29, 'beta', 'by model', '{"model":"m6"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '6.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation, span, period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at, latest_key, position, is_sealed, is_due, marks, first_sealed_at, is_kept_apart)
VALUES (30, 'beta', 'by model', '{"model":"m7"}', 1769853600000000, 1769857200000000, 'sum', 'hour', 1767225600000000, 1769904000000000, 'hold', 1, 1, '7.25', NULL, 0, '', 1, 0, 1, 0, 1769857200000000, 1);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (1, 1, 1, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (1, 2, 2, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (1, 3, 3, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (1, 4, 4, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (1, 5, 5, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (1, 6, 6, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (1, 7, 7, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (1, 8, 8, '7.25', '', NULL, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (1, 9, 8, '7.25', '', 17, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (2, 1, 1, '1', 'u0', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (2, 2, 2, '1', 'u1', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (2, 3, 3, '1', 'u0', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (2, 4, 4, '1', 'u1', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (2, 5, 5, '1', 'u0', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (2, 6, 6, '1', 'u1', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (2, 7, 7, '1', 'u0', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (2, 8, 8, '1', 'u1', NULL, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (2, 9, 8, '1', 'u1', 17, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (3, 1, 1, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (3, 2, 2, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (3, 3, 3, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (3, 4, 4, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (3, 5, 5, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (3, 6, 6, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (3, 7, 7, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (3, 8, 8, '7.25', '', NULL, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (3, 9, 8, '7.25', '', 17, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (4, 1, 1, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (4, 2, 2, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (4, 3, 3, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (4, 4, 4, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (4, 5, 5, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (4, 6, 6, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (4, 7, 7, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (4, 8, 8, '7.25', '', NULL, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (4, 9, 8, '7.25', '', 17, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (5, 1, 1, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (5, 2, 2, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (5, 3, 3, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (5, 4, 4, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (5, 5, 5, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (5, 6, 6, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (5, 7, 7, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (5, 8, 8, '7.25', '', NULL, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (5, 9, 8, '7.25', '', 17, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (6, 1, 1, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (6, 2, 2, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (6, 3, 3, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (6, 4, 4, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (6, 5, 5, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (6, 6, 6, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (6, 7, 7, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (6, 8, 8, '7.25', '', NULL, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (6, 9, 8, '7.25', '', 17, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (7, 1, 1, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (7, 2, 2, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (7, 3, 3, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (7, 4, 4, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (7, 5, 5, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (7, 6, 6, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (7, 7, 7, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (7, 8, 8, '7.25', '', NULL, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (7, 9, 8, '7.25', '', 17, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (8, 1, 1, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (9, 1, 2, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (10, 1, 3, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (11, 1, 4, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (12, 1, 5, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (13, 1, 6, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (14, 1, 7, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (15, 1, 8, '7.25', '', NULL, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (15, 2, 8, '7.25', '', 17, 0, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (16, 1, 9, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (16, 2, 10, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (16, 3, 11, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (16, 4, 12, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (16, 5, 13, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (16, 6, 14, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (16, 7, 15, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (16, 8, 16, '7.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (17, 1, 9, '1', 'u0', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (17, 2, 10, '1', 'u1', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (17, 3, 11, '1', 'u0', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (17, 4, 12, '1', 'u1', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (17, 5, 13, '1', 'u0', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (17, 6, 14, '1', 'u1', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (17, 7, 15, '1', 'u0', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (17, 8, 16, '1', 'u1', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (18, 1, 9, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (18, 2, 10, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (18, 3, 11, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (18, 4, 12, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (18, 5, 13, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (18, 6, 14, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (18, 7, 15, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (18, 8, 16, '7.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (19, 1, 9, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (19, 2, 10, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (19, 3, 11, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (19, 4, 12, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (19, 5, 13, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (19, 6, 14, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (19, 7, 15, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (19, 8, 16, '7.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (20, 1, 9, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (20, 2, 10, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (20, 3, 11, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (20, 4, 12, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (20, 5, 13, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (20, 6, 14, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (20, 7, 15, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (20, 8, 16, '7.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (21, 1, 9, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (21, 2, 10, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (21, 3, 11, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (21, 4, 12, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (21, 5, 13, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (21, 6, 14, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (21, 7, 15, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (21, 8, 16, '7.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (22, 1, 9, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (22, 2, 10, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (22, 3, 11, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (22, 4, 12, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (22, 5, 13, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (22, 6, 14, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (22, 7, 15, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (22, 8, 16, '7.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (23, 1, 9, '0.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (24, 1, 10, '1.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (25, 1, 11, '2.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (26, 1, 12, '3.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (27, 1, 13, '4.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (28, 1, 14, '5.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (29, 1, 15, '6.25', '', NULL, 1, NULL);
INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
VALUES (30, 1, 16, '7.25', '', NULL, 1, NULL);
INSERT INTO member (aggregate_id, member, live)
VALUES (2, 'u0', 4);
INSERT INTO member (aggregate_id, member, live)
VALUES (2, 'u1', 3);
INSERT INTO member (aggregate_id, member, live)
VALUES (17, 'u0', 4);
INSERT INTO member (aggregate_id, member, live)
VALUES (17, 'u1', 4);
INSERT INTO chain (id, tenant, meter, line, hash, covered_hash)
VALUES (1, 'acme', 'requests', 2, 'd521e76f1bd75c094034547730808eeabcde2e3eae93e5e925ff79dbdb251e2f', '');
INSERT INTO chain (id, tenant, meter, line, hash, covered_hash)
VALUES (2, 'beta', 'requests', 1, 'f406b58acd984b62a061d0457af492aba43f0871b7352f06b2fb0d282bcd1130', '');
INSERT INTO entry (chain_id, line, dimensions, window_start, window_end, period_start, period_end, revision, delta, total, released, released_total, moved, billed, allocated, position, held, linked_line, sealed_at, previous_hash, hash)
VALUES (1, 1, '', 1769853600000000, 1769857200000000, 1767225600000000, 1769904000000000, 1, '30', '30', '30', '30', '0', '30', '30', 8, '', NULL, 1769860800000000, '0000000000000000000000000000000000000000000000000000000000000000', '0a50bb58fedfa1a0db0b92ccf13a3351abb326fd9d0e9e70a5d2ec21b076d671');
INSERT INTO entry (chain_id, line, dimensions, window_start, window_end, period_start, period_end, revision, delta, total, released, released_total, moved, billed, allocated, position, held, linked_line, sealed_at, previous_hash, hash)
VALUES (1, 2, '', 1769853600000000, 1769857200000000, 1767225600000000, 1769904000000000, 2, '-7.25', '22.75', '-7.25', '22.75', '0', '22.75', '22.75', 9, '', NULL, 1769860800000000, '0a50bb58fedfa1a0db0b92ccf13a3351abb326fd9d0e9e70a5d2ec21b076d671', 'd521e76f1bd75c094034547730808eeabcde2e3eae93e5e925ff79dbdb251e2f');
INSERT INTO entry (chain_id, line, dimensions, window_start, window_end, period_start, period_end, revision, delta, total, released, released_total, moved, billed, allocated, position, held, linked_line, sealed_at, previous_hash, hash)
VALUES (2, 1, '', 1769853600000000, 1769857200000000, 1767225600000000, 1769904000000000, 1, '30', '30', '30', '30', '0', '30', '30', 8, '', NULL, 1769860800000000, '0000000000000000000000000000000000000000000000000000000000000000', 'f406b58acd984b62a061d0457af492aba43f0871b7352f06b2fb0d282bcd1130');
INSERT INTO slot (id, route, account, destination, counter, start, timestamp, period_start, period_end, closes_at, total, version, revision, confirmed, earlier, unsettled, is_due, due_at)
VALUES (1, 'absolute', 'default', 'cus_acme', 'requests', 1769853600000000, 1769853600000000, 1767225600000000, 1769904000000000, 1769907600000000, '22.75', 2, 1, '22.75', '22.75', NULL, 1, 0);
INSERT INTO slot (id, route, account, destination, counter, start, timestamp, period_start, period_end, closes_at, total, version, revision, confirmed, earlier, unsettled, is_due, due_at)
VALUES (2, 'absolute', 'default', 'cus_beta', 'requests', 1769853600000000, 1769853600000000, 1767225600000000, 1769904000000000, 1769907600000000, '30', 1, 1, '0', '', 'tly_a9cc418ceb51502a82fcdac30b0297aaf16d98a6', 1, 1769860880000000);
INSERT INTO allocation (id, slot_id, chain_id, line, timestamp, period_start, period_end, closes_at, quantity)
VALUES (1, 1, 1, 1, 1769853600000000, 1767225600000000, 1769904000000000, 1769907600000000, '30');
INSERT INTO allocation (id, slot_id, chain_id, line, timestamp, period_start, period_end, closes_at, quantity)
VALUES (2, 2, 2, 1, 1769853600000000, 1767225600000000, 1769904000000000, 1769907600000000, '30');
INSERT INTO allocation (id, slot_id, chain_id, line, timestamp, period_start, period_end, closes_at, quantity)
VALUES (3, 1, 1, 2, 1769853600000000, 1767225600000000, 1769904000000000, 1769907600000000, '-7.25');
INSERT INTO publication (id, identifier, slot_id, slot_revision, slot_version, timestamp, period_start, period_end, closes_at, quantity, total, before, state, intended_at, deadline, next_at, first_attempt_at, last_attempt_at, attempts, doubts, failures, is_resendable, accepted_at, read_from, absent, absent_at, settled_at, answer, step)
VALUES (1, 'tly_1066d4324dd8bcf2d4568c22d9d1a89b37669f0a', 1, 1, 2, 1769853600000000, 1767225600000000, 1769904000000000, 1769907600000000, '22.75', '22.75', '0', 'confirmed', 1769860800000000, 1769860880000000, 1769860800000000, 1769860800000000, 1769860800000000, 1, 1, 0, 1, NULL, 0, NULL, NULL, 1769860800000000, '', 1);
INSERT INTO publication (id, identifier, slot_id, slot_revision, slot_version, timestamp, period_start, period_end, closes_at, quantity, total, before, state, intended_at, deadline, next_at, first_attempt_at, last_attempt_at, attempts, doubts, failures, is_resendable, accepted_at, read_from, absent, absent_at, settled_at, answer, step)
VALUES (2, 'tly_a9cc418ceb51502a82fcdac30b0297aaf16d98a6', 2, 1, 1, 1769853600000000, 1767225600000000, 1769904000000000, 1769907600000000, '30', '30', '0', 'pending', 1769860800000000, 1769860880000000, 1769860800000000, 1769860800000000, 1769860800000000, 1, 1, 0, 1, NULL, 0, NULL, NULL, NULL, '', 0);
INSERT INTO tenant (id, name, versions)
VALUES ('acme', '', '[["UTC", 0, "month", 1, -62135596800000000]]');
INSERT INTO tenant (id, name, versions)
VALUES ('beta', '', '[["UTC", 0, "month", 1, -62135596800000000]]');
INSERT INTO meter (id, effective_from, definition)
VALUES ('by model', -62135596800000000, '{"code": "requests", "aggregation": "sum", "span": "hour", "value_path": "quantity", "filters": [], "dimensions": ["model"], "negatives": true, "closed": "hold", "archived": false, "version": 1}');
INSERT INTO meter (id, effective_from, definition)
VALUES ('floor', -62135596800000000, '{"code": "requests", "aggregation": "min", "span": "hour", "value_path": "quantity", "filters": [], "dimensions": [], "negatives": true, "closed": "hold", "archived": false, "version": 1}');
INSERT INTO meter (id, effective_from, definition)
VALUES ('level', -62135596800000000, '{"code": "requests", "aggregation": "latest", "span": "hour", "value_path": "quantity", "filters": [], "dimensions": [], "negatives": true, "closed": "hold", "archived": false, "version": 1}');
INSERT INTO meter (id, effective_from, definition)
VALUES ('mean', -62135596800000000, '{"code": "requests", "aggregation": "average", "span": "hour", "value_path": "quantity", "filters": [], "dimensions": [], "negatives": true, "closed": "hold", "archived": false, "version": 1}');
INSERT INTO meter (id, effective_from, definition)
VALUES ('members', -62135596800000000, '{"code": "requests", "aggregation": "unique_count", "span": "hour", "value_path": "user", "filters": [], "dimensions": [], "negatives": true, "closed": "hold", "archived": false, "version": 1}');
INSERT INTO meter (id, effective_from, definition)
VALUES ('peak', -62135596800000000, '{"code": "requests", "aggregation": "max", "span": "hour", "value_path": "quantity", "filters": [], "dimensions": [], "negatives": true, "closed": "hold", "archived": false, "version": 1}');
INSERT INTO meter (id, effective_from, definition)
VALUES ('requests', -62135596800000000, '{"code": "requests", "aggregation": "sum", "span": "hour", "value_path": "quantity", "filters": [], "dimensions": [], "negatives": true, "closed": "hold", "archived": false, "version": 1}');
INSERT INTO mapping (tenant, effective_from, meter, dimensions, route, account, destination, counter, publish_from, boundary_hour)
VALUES ('acme', -62135596800000000, 'requests', '', 'absolute', 'default', 'cus_acme', 'requests', -62135596800000000, 'refuse');
INSERT INTO mapping (tenant, effective_from, meter, dimensions, route, account, destination, counter, publish_from, boundary_hour)
VALUES ('beta', -62135596800000000, 'requests', '', 'absolute', 'default', 'cus_beta', 'requests', -62135596800000000, 'refuse');
INSERT INTO switch (name, state)
VALUES ('pause:beta', 'on');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (1, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (2, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (3, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (4, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (5, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (6, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (7, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (8, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (9, 1769860800000000, 'ada', 'so it is billed', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (10, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (11, 1769860800000000, 'ada', 'so it is billed', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (12, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO override (id, at, who, why, action, subject)
VALUES (13, 1769860800000000, 'ada', 'a test', 'save', 'acme');
INSERT INTO dead_letter (id, letter_id, reason, errors, tenant, waits_for, origin, body, received_at, replayed_at, replayed_as)
VALUES (1, '7abd6c1babeef4a8167cef57', 'conflict', '[]', 'acme', '', X'612074657374', X'7265717565737473206531203939', 1769860800000000, NULL, '');
INSERT INTO dead_letter (id, letter_id, reason, errors, tenant, waits_for, origin, body, received_at, replayed_at, replayed_as)
VALUES (2, '9d35c6177cd005e91cfcbe58', 'unknown_tenant', '[]', '', 'tenant:gamma', X'612074657374', X'6C65747465722030', 1769860800000000, NULL, '');
INSERT INTO dead_letter (id, letter_id, reason, errors, tenant, waits_for, origin, body, received_at, replayed_at, replayed_as)
VALUES (3, 'af1b0719afd24e1131e4995b', 'unknown_tenant', '[]', '', 'tenant:gamma', X'612074657374', X'6C65747465722031', 1769860800000000, 1769860800000000, 'recorded');
INSERT INTO dead_letter (id, letter_id, reason, errors, tenant, waits_for, origin, body, received_at, replayed_at, replayed_as)
VALUES (4, '8f16ab0c5a58dcbcee76c2ac', 'unknown_tenant', '[]', '', 'tenant:gamma', X'612074657374', X'6C65747465722032', 1769860800000000, NULL, '');
INSERT INTO api_key (number, id, digest, name, scopes, tenant, created_at, expires_at, revoked_at, used_at, maker)
VALUES (1, 'older', 'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', '', 'ingest', '', 1769860800000000, NULL, NULL, NULL, '');
