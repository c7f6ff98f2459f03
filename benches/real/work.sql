-- Inserts, an index, joins, aggregates, window functions and text search in memory.
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, class INTEGER, price REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000)
INSERT INTO item SELECT i, printf('item-%x', i * 2654435761 % 1048576), i * 7919 % 97, (i * 31 % 1000) / 8.0 FROM n;
CREATE INDEX item_class ON item(class, price);
CREATE TABLE class(id INTEGER PRIMARY KEY, label TEXT);
INSERT INTO class SELECT DISTINCT class, 'class ' || class FROM item;
SELECT count(*), round(sum(price), 3) FROM item;
SELECT label, count(*), round(avg(price), 4), max(name) FROM item JOIN class ON class.id = item.class GROUP BY label ORDER BY 2 DESC, 1 LIMIT 5;
SELECT count(*) FROM item WHERE name LIKE '%ab%' OR name GLOB 'item-1*f';
UPDATE item SET price = price * 1.25 WHERE class % 3 = 0;
DELETE FROM item WHERE class = 13 AND price < 50;
SELECT class, id, round(price - lag(price, 1, 0) OVER (PARTITION BY class ORDER BY price, id), 4) AS step FROM item ORDER BY step DESC, class, id LIMIT 5;
SELECT count(*) FROM item a JOIN item b ON b.id = a.id + 1 AND b.class > a.class WHERE substr(a.name, 6, 1) = substr(b.name, 6, 1);
SELECT group_concat(name, '') FROM (SELECT name FROM item WHERE class = 42 ORDER BY name LIMIT 10);
