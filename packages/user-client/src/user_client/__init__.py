"""A client of the user API: pooled, bounded, retried, logged in once."""

from user_client.authentication import AuthenticatedAPIClient
from user_client.client import UserAPIClient
from user_client.errors import (
    AuthenticationFailed,
    ClientClosed,
    ConnectionFailed,
    InvalidUserId,
    NotAuthenticated,
    RateLimited,
    RedirectRefused,
    RequestRefused,
    RequestTimedOut,
    ResponseInvalid,
    ResponseTooLarge,
    ServerUnavailable,
    SomeUsersFailed,
    SomeUsersTimedOut,
    UserAPIError,
    UserNotFound,
    WrongPassword,
)
from user_client.pages import UserPages
from user_client.retry import RetryBudget, RetryPolicy
from user_client.users import User, UserId

__all__ = [
    "AuthenticatedAPIClient",
    "AuthenticationFailed",
    "ClientClosed",
    "ConnectionFailed",
    "InvalidUserId",
    "NotAuthenticated",
    "RateLimited",
    "RedirectRefused",
    "RequestRefused",
    "RequestTimedOut",
    "ResponseInvalid",
    "ResponseTooLarge",
    "RetryBudget",
    "RetryPolicy",
    "ServerUnavailable",
    "SomeUsersFailed",
    "SomeUsersTimedOut",
    "User",
    "UserAPIClient",
    "UserAPIError",
    "UserId",
    "UserNotFound",
    "UserPages",
    "WrongPassword",
]
