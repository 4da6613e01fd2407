"""The store on one DynamoDB table. `layout` says where everything lies."""

from tallystick.stores.dynamodb.store import DynamoStore

__all__ = ["DynamoStore"]
