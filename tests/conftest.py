"""Options of this test suite."""


def pytest_addoption(parser):
    parser.addoption(
        "--refresh-golden",
        action="store_true",
        help="write the golden pages anew; read the difference before committing it",
    )
