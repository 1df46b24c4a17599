"""A task is published inside a transaction that has not committed yet

## What it does
Finds `.delay()`, `.apply_async()` and `send_task()` that run while a Django transaction is open: inside a `with
transaction.atomic()` block, in a function under `@transaction.atomic`, in whatever is called from there at any depth, and
under the context managers and decorators that a project builds on `atomic`. Django opens transactions too: round every
request with `ATOMIC_REQUESTS`, round what the admin saves, round `get_or_create()` and `update_or_create()`, round a
migration. The path says where the transaction is opened and how the call gets there.

A request that writes no row on the way to the task is left alone: there is nothing that the task could miss. So is a migration
on which others build: it has run.

A call that passes a constant is followed only where it leads: `save(notify=False)` does not reach what stands under `if
notify`.

## Why is this bad?
The message leaves at once, the rows only when the transaction commits. A worker that is quicker than the commit looks for a
row that is not there and ends with `DoesNotExist`. When the transaction is rolled back, the task runs all the same: a mail
goes out for an order that never existed. A `countdown` makes the first one rarer and leaves the second one as it is.

## Example
### In a block
```python
from celery import shared_task
from django.db import transaction

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


def place_order(cart):
    with transaction.atomic():
        order = Order.objects.create(total=cart.total)
        send_receipt.delay(order.pk)  # KEL101
```

### Under the decorator
```python
from celery import shared_task
from django.db.transaction import atomic

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


@atomic
def place_order(cart):
    order = Order.objects.create(total=cart.total)
    send_receipt.apply_async(args=[order.pk], countdown=5)  # KEL101
```

### Under a context manager of the project
```python title="shop/tracing.py"
from contextlib import contextmanager

from django.db import transaction


@contextmanager
def traced_transaction():
    with transaction.atomic():
        yield
```
```python title="shop/orders.py"
from shop.models import Order
from shop.tasks import send_receipt
from shop.tracing import traced_transaction


def place_order(cart):
    with traced_transaction():
        order = Order.objects.create(total=cart.total)
        send_receipt.delay(order.pk)  # KEL101
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)
```

### With another database
```python
from celery import shared_task
from django.db import transaction

from shop.models import Event


@shared_task
def count_event(event_id):
    print(event_id)


def record(kind):
    with transaction.atomic(using="events"):
        event = Event.objects.create(kind=kind)
        count_event.delay(event.pk)  # KEL101
```

### In what is called from there
```python title="shop/views.py"
from django.db import transaction

from shop.services import OrderService


def checkout(request):
    with transaction.atomic():
        OrderService(request.user).place(request.POST["cart"])
```
```python title="shop/services.py"
from shop.models import Order
from shop.tasks import send_receipt


class OrderService:
    def __init__(self, user):
        self.user = user

    def place(self, cart_id):
        order = Order.objects.create(user=self.user, cart_id=cart_id)
        self.announce(order)

    def announce(self, order):
        send_receipt.delay(order.pk)  # KEL101
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def send_receipt(order_id):
    print(order_id)
```

### In a request, with `ATOMIC_REQUESTS`
```python title="shop/settings.py"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "ATOMIC_REQUESTS": True,
    }
}
```
```python title="shop/api.py"
from celery import shared_task
from rest_framework.viewsets import ModelViewSet


@shared_task
def send_receipt(order_id):
    print(order_id)


class OrderViewSet(ModelViewSet):
    def perform_create(self, serializer):
        order = serializer.save()
        send_receipt.delay(order.pk)  # KEL101
```

### In Django's admin
```python
from celery import shared_task
from django.contrib import admin


@shared_task
def refresh_price_list(product_id):
    print(product_id)


class ProductAdmin(admin.ModelAdmin):
    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        refresh_price_list.delay(obj.pk)  # KEL101
```

### In a migration
```python title="shop/migrations/0002_totals.py"
from django.db import migrations

from shop.tasks import count_orders


def fill(apps, schema_editor):
    for order in apps.get_model("shop", "Order").objects.filter(total=None):
        order.total = 0
        order.save()
    count_orders.delay()  # KEL101


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(fill)]
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def count_orders():
    print("counted")
```

### Waiting for the wrong database
```python
from celery import shared_task
from django.db import transaction

from shop.models import Event


@shared_task
def count_event(event_id):
    print(event_id)


def record(kind):
    with transaction.atomic(using="events"):
        event = Event.objects.create(kind=kind)
        count_event.delay_on_commit(event.pk)  # KEL101
```

## Use instead
### Celery's own method
`delay_on_commit` waits for the commit of the default database and is dropped on rollback. Outside a transaction it publishes
at once. It returns `None`: there is no task id yet.
```python
from celery import shared_task
from django.db import transaction

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


def place_order(cart):
    with transaction.atomic():
        order = Order.objects.create(total=cart.total)
        send_receipt.delay_on_commit(order.pk)
```

### `on_commit`
```python
from functools import partial

from celery import shared_task
from django.db import transaction

from shop.models import Event


@shared_task
def count_event(event_id):
    print(event_id)


def record(kind):
    with transaction.atomic(using="events"):
        event = Event.objects.create(kind=kind)
        transaction.on_commit(partial(count_event.delay, event.pk), using="events")
        transaction.on_commit(lambda: count_event.delay(event.pk), using="events")
```

### After the block
```python
from celery import shared_task
from django.db import transaction

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


def place_order(cart):
    with transaction.atomic():
        order = Order.objects.create(total=cart.total)
    send_receipt.delay(order.pk)
```

### A callback of the object, a callback of the project
```python title="shop/commit.py"
from functools import wraps

from django.db import transaction


def after_commit(function):
    @wraps(function)
    def registered(*args, **kwargs):
        transaction.on_commit(lambda: function(*args, **kwargs))

    return registered
```
```python title="shop/orders.py"
from functools import partial

from celery import shared_task
from django.db import transaction

from shop.commit import after_commit
from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


@after_commit
def announce(order_id):
    send_receipt.delay(order_id)


class Checkout:
    @transaction.atomic
    def place(self, cart):
        self.order = Order.objects.create(total=cart.total)
        transaction.on_commit(self.send)
        transaction.on_commit(partial(self.send))
        announce(self.order.pk)

    def send(self):
        send_receipt.delay(self.order.pk)
```

### A flag that says no
```python
from celery import shared_task
from django.db import transaction

from shop.models import Order


@shared_task
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


def place_order(cart, *, notify=True):
    order = Order.objects.create(total=cart.total)
    if notify:
        send_receipt.delay(order.pk)


def import_orders(carts):
    with transaction.atomic():
        for cart in carts:
            place_order(cart, notify=False)
```

### A view outside the transaction
```python title="shop/settings.py"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "ATOMIC_REQUESTS": True}}
```
```python title="shop/views.py"
from celery import shared_task
from django.contrib.auth.decorators import login_required
from django.db import transaction


@shared_task
def refresh(feed_id):
    print(feed_id)


@transaction.non_atomic_requests
@login_required
def refresh_feed(request, feed_id):
    refresh.delay(feed_id)
```

### A request that writes no row
```python title="shop/settings.py"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "ATOMIC_REQUESTS": True}}
```
```python title="shop/api.py"
from celery import shared_task
from django.core.cache import cache
from django.core.files.storage import default_storage
from rest_framework.generics import CreateAPIView


@shared_task
def scan(name, options):
    print(name, options)


class Uploads(CreateAPIView):
    def perform_create(self, serializer):
        self.save_and_scan(serializer.validated_data["file"])

    def save_and_scan(self, file):
        seen, options = set(), {}
        seen.add(file.name)
        options.update({"size": file.size})
        name = default_storage.save(f"uploads/{file.name}", file)
        cache.set("last upload", name)
        scan.delay(name, options)
```

### A `save` with a flag that says no
```python title="shop/models.py"
from django.db import models

from shop.tasks import index_tag


class Tag(models.Model):
    name = models.CharField(max_length=80)

    def save(self, *args, index=False, **kwargs):
        super().save(*args, **kwargs)
        if index:
            index_tag.delay(self.pk)
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def index_tag(tag_id):
    print(tag_id)
```
```python title="shop/views.py"
from shop.models import Tag


def tag(name):
    return Tag.objects.get_or_create(name=name)
```

### A migration that others build on
```python title="shop/migrations/0002_totals.py"
from django.db import migrations

from shop.tasks import count_orders


def fill(apps, schema_editor):
    count_orders.delay()


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(fill)]
```
```python title="shop/migrations/0003_merge.py"
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_totals")]
```
```python title="shop/tasks.py"
from celery import shared_task


@shared_task
def count_orders():
    print("counted")
```

### Another thread, another connection
```python
from threading import Thread

from celery import shared_task
from django.db import transaction


@shared_task
def refresh(feed_id):
    print(feed_id)


def start(feed_id):
    refresh.delay(feed_id)


def import_feed(feed):
    with transaction.atomic():
        feed.save()
        Thread(target=start, args=[feed.parent_id]).start()
```

### A base class that waits
```python
from celery import Task, shared_task
from django.db import transaction

from shop.models import Order


class CommitTask(Task):
    def apply_async(self, *args, **kwargs):
        transaction.on_commit(lambda: super(CommitTask, self).apply_async(*args, **kwargs))


@shared_task(base=CommitTask)
def send_receipt(order_id):
    print(Order.objects.get(pk=order_id))


@transaction.atomic
def place_order(cart):
    order = Order.objects.create(total=cart.total)
    send_receipt.delay(order.pk)
```

## Fix safety
Unsafe. The call returns `None` instead of an `AsyncResult`, so there is no fix where its value is used. In Django's
`TestCase` the callbacks never run (`captureOnCommitCallbacks` runs them). `delay_on_commit` waits for the default database;
for another one, for tasks whose class does not have it, and for Celery before 5.4, the fix is
`transaction.on_commit(partial(...))`, which binds the arguments where the call stood.

## Known missed alarms
Calls on objects whose class cannot be told (they are counted), functions called through `getattr` or a table, an `ExitStack`,
`set_autocommit(False)`, and a task under a name that cannot be followed.

## Options
None.

## References
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#database-transactions
- https://docs.celeryq.dev/en/stable/django/first-steps-with-django.html#trigger-tasks-at-the-end-of-the-database-transaction
- https://docs.djangoproject.com/en/stable/topics/db/transactions/#performing-actions-after-commit
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint_celery._in_transaction import DispatchInTransaction

if TYPE_CHECKING:
    from keel_lint.flow.atomic import OpenTransaction


class DelayInAtomic(DispatchInTransaction):
    """Finds dispatches that run inside an open transaction."""

    code = "KEL101"
    slug = "delay-in-atomic"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("dispatch",)
    proof = "celery"

    @classmethod
    def speaks_of(cls, opened: OpenTransaction) -> bool:
        """Whether it is one of Django, and the way to the dispatch leads through no signal: those are KEL121's."""
        return opened.library == "django" and not opened.by_signal
