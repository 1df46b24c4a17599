"""A signal handler publishes a task inside the transaction of whoever saves

## What it does
Finds `.delay()`, `.apply_async()` and `send_task()` in handlers of Django's model signals, where it is known that a
transaction is open: `pre_delete`, `post_delete` and `m2m_changed` are always sent inside one, `pre_save` and `post_save`
inside the one that the saving code holds: an `atomic` block, `get_or_create()`, `update_or_create()`, the request with
`ATOMIC_REQUESTS`. The path says which.

## Why is this bad?
Whoever writes the handler cannot see the transaction. The message leaves at once, the row only when the transaction of the code
that saved it commits. A quick worker ends with `DoesNotExist`; after a rollback the task runs for a row that never was, or for
one that was not deleted.

## Example
### Deleting
```python
from celery import shared_task
from django.db.models.signals import post_delete
from django.dispatch import receiver

from shop.models import Product


@shared_task
def remove_from_index(product_id):
    print(product_id)


@receiver(post_delete, sender=Product)
def product_deleted(sender, instance, **kwargs):
    remove_from_index.delay(instance.pk)  # KEL121
```

### Saving in a block
```python title="shop/models.py"
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=80)
```
```python title="shop/signals.py"
from celery import shared_task
from django.db.models.signals import post_save
from django.dispatch import receiver

from shop.models import Product


@shared_task
def index_product(product_id):
    print(product_id)


@receiver(post_save, sender=Product)
def product_saved(sender, instance, **kwargs):
    index_product.delay(instance.pk)  # KEL121
```
```python title="shop/imports.py"
from django.db import transaction

from shop.models import Product


def import_products(rows):
    with transaction.atomic():
        for row in rows:
            Product.objects.create(name=row["name"])
```

### Saving through `get_or_create`
```python title="shop/models.py"
from django.db import models


class Tag(models.Model):
    name = models.CharField(max_length=80)
```
```python title="shop/apps.py"
from celery import shared_task
from django.db.models.signals import post_save

from shop.models import Tag


@shared_task
def index_tag(tag_id):
    print(tag_id)


def tag_saved(sender, instance, created, **kwargs):
    if created:
        index_tag.delay(instance.pk)  # KEL121


post_save.connect(tag_saved, sender=Tag)


def tag(name):
    return Tag.objects.get_or_create(name=name)
```

## Use instead
### Celery's own method
```python
from celery import shared_task
from django.db.models.signals import post_delete
from django.dispatch import receiver

from shop.models import Product


@shared_task
def remove_from_index(product_id):
    print(product_id)


@receiver(post_delete, sender=Product)
def product_deleted(sender, instance, **kwargs):
    remove_from_index.delay_on_commit(instance.pk)
```

### A row that the saving of another one may make
```python title="shop/models.py"
from django.db import models


class Address(models.Model):
    text = models.TextField()


class Shop(models.Model):
    text = models.TextField()
    address = models.ForeignKey(Address, null=True, on_delete=models.SET_NULL)

    def save(self, *args, **kwargs):
        super().save(*args, **kwargs)
        if self.address and self.address.text != self.text:
            Address.objects.create(text=self.text)
```
```python title="shop/apps.py"
from celery import shared_task
from django.db.models.signals import post_save

from shop.models import Address, Shop


@shared_task
def index_address(address_id):
    print(address_id)


def address_saved(sender, instance, **kwargs):
    index_address.delay(instance.pk)


post_save.connect(address_saved, sender=Address)


def shop(text):
    return Shop.objects.get_or_create(text=text)
```

### `on_commit`
```python
from functools import partial

from celery import shared_task
from django.db import transaction
from django.db.models.signals import m2m_changed
from django.dispatch import receiver

from shop.models import Product


@shared_task
def index_product(product_id):
    print(product_id)


@receiver(m2m_changed, sender=Product.tags.through)
def tags_changed(sender, instance, **kwargs):
    transaction.on_commit(partial(index_product.delay, instance.pk))
```

### No transaction is known
A plain `save()` sends `post_save` after its own transaction, and `get_or_create()` only ever creates.
```python title="shop/models.py"
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=80)
```
```python title="shop/signals.py"
from celery import shared_task
from django.db.models.signals import post_save
from django.dispatch import receiver

from shop.models import Product


@shared_task
def index_product(product_id):
    print(product_id)


@receiver(post_save, sender=Product)
def product_saved(sender, instance, created, **kwargs):
    if not created:
        index_product.delay(instance.pk)


def add_product(name):
    product = Product(name=name)
    product.save()
    return Product.objects.get_or_create(name=name)
```

### What only runs for an update of certain fields
A row that is created is saved without `update_fields`.
```python title="shop/models.py"
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=80)
    text = models.TextField()
```
```python title="shop/signals.py"
from celery import shared_task
from django.db.models.signals import post_save
from django.dispatch import receiver

from shop.models import Product


@shared_task
def index_product(product_id):
    print(product_id)


@receiver(post_save, sender=Product)
def text_changed(sender, instance, update_fields=None, **kwargs):
    if update_fields is not None and "text" in update_fields:
        index_product.delay(instance.pk)


@receiver(post_save, sender=Product)
def name_changed(sender, instance, created, update_fields=None, **kwargs):
    if not update_fields or "name" not in update_fields:
        return
    index_product.delay(instance.pk)


def add_product(name):
    return Product.objects.get_or_create(name=name)
```

### A signal of something else
```python
from celery import shared_task
from django.core.signals import setting_changed
from django.dispatch import receiver


@shared_task
def reload_settings(name):
    print(name)


@receiver(setting_changed)
def changed(sender, setting, **kwargs):
    reload_settings.delay(setting)
```

## Fix safety
Unsafe. The call returns `None` instead of an `AsyncResult`, so there is no fix where its value is used, and in Django's
`TestCase` the callbacks never run (`captureOnCommitCallbacks` runs them).

## Known missed alarms
Handlers without a sender, senders that are named as a string, rows that are saved through a form, a serializer or an object
whose class cannot be told.

## Options
None.

## References
- https://docs.djangoproject.com/en/stable/ref/signals/#module-django.db.models.signals
- https://docs.djangoproject.com/en/stable/topics/db/transactions/#performing-actions-after-commit
- https://docs.celeryq.dev/en/stable/userguide/tasks.html#database-transactions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint_celery._in_transaction import DispatchInTransaction

if TYPE_CHECKING:
    from keel_lint.flow.atomic import OpenTransaction


class DispatchInSignalHandler(DispatchInTransaction):
    """Finds dispatches to which a signal of a model leads from an open transaction."""

    code = "KEL121"
    slug = "dispatch-in-signal-handler"
    group = "reliability"
    engine = "celery"
    versions = ">=3"
    fix = "unsafe"
    judges = ("dispatch",)
    proof = "celery"

    @classmethod
    def speaks_of(cls, opened: OpenTransaction) -> bool:
        """Whether the way to the dispatch leads through a signal."""
        return opened.by_signal
