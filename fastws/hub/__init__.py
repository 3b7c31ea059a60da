"""Channels by name: streams, views of tables, subscriptions, recovery and the flush.

The hub owns who follows what and when a frame leaves. It encodes once and delivers to many;
it queues nothing per client: a stream subscription is a cursor, a view subscription the tick
it has seen. It knows no sockets (`Subscriber` is all it needs) and numbers nothing (the
broker does). Source: tables.md, "Streams" and "Subscription".
"""

from fastws.hub.channel import Channel, Subscriber, Subscription
from fastws.hub.priority import Audience, PriorityTable
from fastws.hub.registry import Hub
from fastws.hub.stream import Stream, StreamSubscription
from fastws.hub.table import FORMATS, ByKey, TableChannel, TableSubscription
from fastws.hub.view import Sealable, View, ViewSubscription

__all__ = [
    "FORMATS",
    "Audience",
    "ByKey",
    "Channel",
    "Hub",
    "PriorityTable",
    "Sealable",
    "Stream",
    "StreamSubscription",
    "Subscriber",
    "Subscription",
    "TableChannel",
    "TableSubscription",
    "View",
    "ViewSubscription",
]
