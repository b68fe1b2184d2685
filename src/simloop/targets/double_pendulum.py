"""Catalogue entry: recordings of a real double pendulum in two builds (DFKI RIC, Underactuated Lab)."""

from simloop.targets.catalogue import Entry, Split

_C1 = "data/experiment_records/design_C.1/sys_id/20230629"
_A0 = "data/experiment_records/design_A.0/20220815/sys_id"

DOUBLE_PENDULUM = Entry(
    name="double-pendulum",
    world="double-pendulum",
    machine="torque-controlled double pendulum, design C.1 (10 recordings) and A.0 (9 recordings)",
    source="https://github.com/dfki-ric-underactuated-lab/double_pendulum",
    url="https://raw.githubusercontent.com/dfki-ric-underactuated-lab/double_pendulum/"
    "2b055e76caac222322a30384ce61024e0743d0ca/",
    licence="BSD-3-Clause",
    citation="Wiebe et al., Open Source Dual-Purpose Acrobot and Pendubot Platform, IEEE RAM 31(2), 2024",
    megabytes=36.0,
    splits={
        # 8 and 9 of C.1 are twin swing-ups and stay together
        "design-c1/all": Split(_C1, None, "torque-controlled double pendulum, design C.1", "double-pendulum/c1"),
        "design-c1/train": Split(
            _C1, (0, 2, 3, 4, 6, 7), "torque-controlled double pendulum, design C.1", "double-pendulum/c1"
        ),
        "design-c1/test": Split(
            _C1, (1, 5, 8, 9), "torque-controlled double pendulum, design C.1", "double-pendulum/c1"
        ),
        "design-a0/all": Split(_A0, None, "torque-controlled double pendulum, design A.0", "double-pendulum/a0"),
        "design-a0/train": Split(
            _A0, (0, 1, 3, 4, 6, 8), "torque-controlled double pendulum, design A.0", "double-pendulum/a0"
        ),
        "design-a0/test": Split(_A0, (2, 5, 7), "torque-controlled double pendulum, design A.0", "double-pendulum/a0"),
    },
    files={
        f"{_A0}/trajectory_00.csv": "3ea9f330443c902711faaf7f99059dd43e42ea30bb4e2d310d78aa1ec897532d",
        f"{_A0}/trajectory_01.csv": "fbac28e9765eb86380a3ecbc75d7fd71ee7283a4b6eda740f486b5d8d670bab3",
        f"{_A0}/trajectory_02.csv": "1dd18e2ef41511253b9d2ca2a51fd1a9cafe5eae7cb8280496f050cdae02db0d",
        f"{_A0}/trajectory_03.csv": "f686c90294ee11e371b949369f7bd80541c74fe358a4e5c28c52dd86e08ac398",
        f"{_A0}/trajectory_04.csv": "b9800f9fba977af0896617a0d535a67e33b20f54361ef3a025659c928dc50658",
        f"{_A0}/trajectory_05.csv": "e0352a2b381189beaab535df7da8a08a6a96dee72c0b5af3a43449734402f133",
        f"{_A0}/trajectory_11.csv": "b2a69f0087aa45cd9372247316eff12c573b9f7110d96ad80fe923e2badbff3b",
        f"{_A0}/trajectory_12.csv": "a5f61491c72ff648bc527f5c50f4d10b79a2f7b3b561f0fdcf4078d98581c0fd",
        f"{_A0}/trajectory_13.csv": "576bd0a89edf58750bb3b2e1ac880551550761b00407cd70e4e300c4db1fcec4",
        f"{_C1}/20230629-143339/trajectory.csv": "94f17287b53187dfe8f4ce131f4e7c49918309fcc915cbae2f64ed3101e7c23b",
        f"{_C1}/20230629-143524/trajectory.csv": "03fc5e18915e80afabb3e2674b627f9d849d43675aeacbf586ccd24b3ebd7ca5",
        f"{_C1}/20230629-143601/trajectory.csv": "e028c1d7a6a45cfe1b96b7cb33aae412b8888f022677d392f6f9cd4d4f63886d",
        f"{_C1}/20230629-143704/trajectory.csv": "e19682394cb7dc8847db9010e568b139a85a447bfbc4547b8828ad58da64a2a9",
        f"{_C1}/20230629-143747/trajectory.csv": "8b3f8f25dceec77dbe05c2e687d86485b272fbcabd3af5485a119c9944243a1e",
        f"{_C1}/20230629-143906/trajectory.csv": "45c7ed0eb4811ee0b11650b6ae344222bfcf4f7a313c7da611442149ee91e70c",
        f"{_C1}/20230629-144003/trajectory.csv": "6841154d567f064208961b2829907fc8457dfd857472286627a0e84da8ab36ed",
        f"{_C1}/20230629-144115/trajectory.csv": "c7ec2483e9dd10bfd536e5797002f39af56933ff697da1082aaf28012cda14ed",
        f"{_C1}/20230629-154220/trajectory.csv": "c14a6334d98e6c86883cc3a84d41f41d25aab7d5d7a30e4690c0024a20e8972a",
        f"{_C1}/20230629-154548/trajectory.csv": "0af9a5f9ef4442a0bd5004cebdaf0eec12c10c01e14d58b722ff7c88b4ce450d",
    },
)
