namespace NLDS.BackupAgent.Storage.Directories;

/// <summary>A file on its way into the store, under a name of its own that no reader sees. Disposing removes that name.</summary>
internal sealed class StagedFile : IDisposable
{
    private readonly DirectoryRoot root;
    private readonly FileStream file;

    private StagedFile(DirectoryRoot root, string path)
    {
        this.root = root;
        Path = path;
        file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            UnixCreateMode = DirectoryRoot.FileMode,
            BufferSize = 0,
        });
    }

    public string Path { get; }

    public static StagedFile Create(DirectoryRoot root) => new(root, root.NewTemporaryPath());

    public void Write(ReadOnlyMemory<byte> content, long offset) => RandomAccess.Write(file.SafeFileHandle, content.Span, offset);

    /// <summary>Cuts the file to its true end and makes its bytes durable, before any name can refer to them.</summary>
    public void Flush(long length)
    {
        RandomAccess.SetLength(file.SafeFileHandle, length);
        RandomAccess.FlushToDisk(file.SafeFileHandle);
    }

    public void Dispose()
    {
        file.Dispose();
        _ = Posix.Unlink(Path);
        root.Release(Path);
    }
}
