"""KEL121: a signal handler runs in the transaction of whoever saves."""

from __future__ import annotations

from tests.proofs.told import Told


class RunsAfterRollback(Told):
    """The second product is there to be waited for: had the first one's message not been sent, it would come alone."""

    code = "KEL121"
    claim = "a product is rolled back, and the task that its `post_save` handler dispatched runs all the same"
    harm = ("refused", "indexed ink", "indexed pen")
    clean = ("refused", "indexed ink")
    files = {
        "shop/models.py": """\
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=80)
""",
        "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def index_product(product_id, name):
    happened("indexed", name)
""",
        "shop/signals.py": """\
from django.db.models.signals import post_save
from django.dispatch import receiver

from shop.models import Product
from shop.tasks import index_product


@receiver(post_save, sender=Product)
def product_saved(sender, instance, **kwargs):
    index_product.delay(instance.pk, instance.name)  # KEL121
""",
        "shop/orders.py": """\
from django.db import transaction
from world import happened

import shop.signals  # noqa: F401
from shop.models import Product


def act():
    try:
        import_products(["pen"], PermissionError)
    except PermissionError:
        happened("refused")
    import_products(["ink"], None)


def import_products(names, error):
    with transaction.atomic():
        for name in names:
            Product.objects.create(name=name)
        if error is not None:
            raise error
""",
    }
