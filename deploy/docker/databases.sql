-- A database per service; the role that POSTGRES_USER names owns them.
create database guildhall_member;
create database guildhall_content;
create database guildhall_engagement;
create database guildhall_feedback;
create database guildhall_projection;
