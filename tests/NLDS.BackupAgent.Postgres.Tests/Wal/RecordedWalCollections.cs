namespace NLDS.BackupAgent.Postgres.Tests.Wal;

public sealed class SmallSegments() : RecordedWal(1);

public sealed class UsualSegments() : RecordedWal(16);

[CollectionDefinition]
public sealed class SmallSegmentsCollection : ICollectionFixture<SmallSegments>;

[CollectionDefinition]
public sealed class UsualSegmentsCollection : ICollectionFixture<UsualSegments>;
