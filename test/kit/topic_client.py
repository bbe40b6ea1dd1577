"""A service of somebody else: it reads the topics alone, with kafka-python, fastavro and the schema registry, and makes of
them what data sets hold. BROKERS REGISTRY. Prints one JSON document: {"settings", "changes", "records"}.

Numbers are printed as {"number": text}, so that none is rounded on the way.
"""

import io
import json
import sys

import fastavro
import requests
from kafka import KafkaConsumer, TopicPartition

brokers, registry = sys.argv[1:]
schemas = {}


def decode(value: bytes):
    """Confluent's frame: a zero byte, the schema's id as 32-bit big endian, Avro."""
    assert value[0] == 0
    number = int.from_bytes(value[1:5], "big")
    if number not in schemas:
        answer = requests.get(f"{registry}/schemas/ids/{number}", timeout=30)
        answer.raise_for_status()
        schemas[number] = fastavro.parse_schema(json.loads(answer.json()["schema"]))
    schema = schemas[number]
    return schema["name"], fastavro.schemaless_reader(io.BytesIO(value[5:]), schema)


def read(topic: str):
    """All events of a topic up to its end as it is now, each partition in order."""
    consumer = KafkaConsumer(bootstrap_servers=brokers, isolation_level="read_committed", enable_auto_commit=False)
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(partitions)
    while any(consumer.position(each) < ends[each] for each in partitions):
        for messages in consumer.poll(timeout_ms=500).values():
            for message in messages:
                headers = dict(message.headers)
                name, event = decode(message.value)
                # What a router goes by is what is inside.
                assert headers["ce_type"].decode() == name, (headers, name)
                yield name.split(".")[-1], message.key, event
    consumer.close()


def parsed(text: str):
    number = lambda digits: {"number": digits}
    return json.loads(text, parse_int=number, parse_float=number)


def state_from_changes():
    rows = {}
    for name, _, event in read("sync.changes"):
        if name != "RecordChanged":
            continue
        place = (event["dataset"], event["id"])
        if event["operation"] == "delete":
            del rows[place]
            continue
        data = {} if event["operation"] == "create" else rows[place]["data"]
        for field, values in parsed(event["changes"]).items():
            data[field] = values["new"]
        for field in event["removed"]:
            del data[field]
        rows[place] = {"data": data, "version": event["version"]}
    return rows


def state_from_records():
    rows = {}
    for _, key, event in read("sync.records"):
        assert key.decode() == f"{event['dataset']}\0{event['id']}"
        place = (event["dataset"], event["id"])
        if event["op"] == "delete":
            rows.pop(place, None)
        else:
            rows[place] = {"data": parsed(event["data"])}
    return rows


def settings():
    found = {}
    for _, _, event in read("sync.datasets"):
        found[event["dataset"]] = {"title": event["title"], "category": event["category"]}
    return found


def nested(rows):
    sets = {}
    for (dataset, record), row in rows.items():
        sets.setdefault(dataset, {})[record] = row
    return sets


print(json.dumps({"settings": settings(), "changes": nested(state_from_changes()), "records": nested(state_from_records())}))
