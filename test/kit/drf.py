"""A Django REST framework application over a table of customers: FILE (JSON array of rows) PORT. Basic auth alice:wonder/land."""

import json
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

file, port = sys.argv[1:]
settings.configure(
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:drf?mode=memory&cache=shared"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import generics, pagination, serializers  # noqa: E402


class Customer(models.Model):
    name = models.TextField()
    price = models.DecimalField(max_digits=20, decimal_places=4)
    ratio = models.FloatField()
    active = models.BooleanField()
    created_at = models.DateTimeField()
    note = models.TextField(null=True)

    class Meta:
        app_label = "customers"


class CustomerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Customer
        fields = ["id", "name", "price", "ratio", "active", "created_at", "note"]


class Numbers(pagination.PageNumberPagination):
    page_size = 10
    page_size_query_param = "page_size"
    max_page_size = 1_000_000


class Offsets(pagination.LimitOffsetPagination):
    default_limit = 10


class Cursors(pagination.CursorPagination):
    page_size = 90
    ordering = "id"


def view(pages):
    return generics.ListAPIView.as_view(
        queryset=Customer.objects.order_by("id"), serializer_class=CustomerSerializer, pagination_class=pages
    )


urlpatterns = [path("numbers/", view(Numbers)), path("offsets/", view(Offsets)), path("cursors/", view(Cursors))]

call_command("migrate", run_syncdb=True, verbosity=0)
with connection.schema_editor() as editor:
    editor.create_model(Customer)
with open(file) as rows:
    Customer.objects.bulk_create(Customer(**row) for row in json.load(rows))
User.objects.create_user("alice", password="wonder/land")


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


with make_server("127.0.0.1", int(port), get_wsgi_application(), handler_class=Quiet) as server:
    print("listening", flush=True)
    server.serve_forever()
